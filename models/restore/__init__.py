"""Networks that restore pictures: noise taken away, twice the size; and how they are trained."""
