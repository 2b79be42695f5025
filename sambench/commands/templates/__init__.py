"""What ``sambench new`` writes: working plug-ins, to be changed line by line."""
