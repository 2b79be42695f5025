"""Does a plug-in keep its contract: checks of a model, a task, a dataset."""
