"""The formats of files that a source may deliver; `tidemill_runner.tables` is the way in."""
