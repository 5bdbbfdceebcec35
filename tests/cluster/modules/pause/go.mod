module tidemill.dev/tests/cluster/pause

go 1.26.8

tool tidemill.dev/tests/cluster/pause
