"""What an administrator lets objects ask for, and the judgement before anything is started."""
