"""Networks that take noise away from speech, and how they run over sound of any length."""
