"""The parts of lexer and parser: literals, the cursor over tokens, and the grammar."""
