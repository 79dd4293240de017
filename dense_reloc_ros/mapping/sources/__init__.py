"""Where frames come from: folders, COLMAP models, bags; all become `SourceFrame`s."""
