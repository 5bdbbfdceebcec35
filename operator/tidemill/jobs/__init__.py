"""Runner Jobs: how they are made, what they tell while they run, what they leave behind."""
