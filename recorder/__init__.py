"""From a live feed to a tape; also the tape format itself (`recorder.tape`) and the import of captures."""
