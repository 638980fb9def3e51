"""Structured Text compiler: source text in, typed program, layout and IR out."""
