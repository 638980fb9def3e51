"""What the generated case files are made from: values computed by Python's integers, struct and
fractions, never by the compiler or an engine."""
