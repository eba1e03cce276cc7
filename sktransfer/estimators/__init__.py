"""What users construct: the estimators, and the fit story that they share."""
