"""The edit handler: shots, timelines, contact sheet, proxy and decode certificate of a clip."""
