"""Pictures of running worlds for people: camera view, top view and dashboard in one frame; a window to drive in."""
