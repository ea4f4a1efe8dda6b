"""Examples of an effect: pictures before and after, read, put together, checked, judged by."""
