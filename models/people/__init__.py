"""Finding people in a picture, coarsely: a published network for garbage mattes."""
