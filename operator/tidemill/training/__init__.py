"""The TrainingRun controller: pin the data, run one Job, record what became of it."""
