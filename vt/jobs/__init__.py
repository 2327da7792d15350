"""Jobs: kept in a database and in folders, queued, run, resumed and edited."""
