"""Painting in 26 published styles: a network whose statistics can be held, so that it can tile."""
