"""Import of PLCopen XML (TC6, versions 1.01 to 2.01): reader, model, and writers of ST."""
