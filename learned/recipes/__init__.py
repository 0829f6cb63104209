"""How each pretrained optimizer was made, one file for each."""
