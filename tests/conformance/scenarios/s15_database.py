"""The database explorer."""
from kit import Group

SERIES = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 700) SELECT x FROM c"
Q = "/api/database/query"

g = Group("database_more", "database", "public")
g.post("parameters", Q, {"sql": "SELECT ? AS a, ? AS b, ? AS c", "params": ["x", 2, None]}, loose=["sql"])
g.post("no rows", Q, {"sql": "SELECT 1 AS one WHERE 1 = 0"}, loose=["sql"])
g.post("a hundred rows by default", Q, {"sql": SERIES}, only=["count"])
g.post("a limit", Q, {"sql": SERIES, "limit": 7}, only=["count"])
g.post("the highest limit", Q, {"sql": SERIES, "limit": 500}, only=["count"])
g.post("a limit too high", Q, {"sql": SERIES, "limit": 501})
g.post("limit 0", Q, {"sql": SERIES, "limit": 0})
g.post("a trailing semicolon is fine", Q, {"sql": "SELECT 2 AS two;"}, only=["rows", "count"])
g.post("bad SQL", Q, {"sql": "SELEC 1"})
g.post("DELETE is refused", Q, {"sql": "DELETE FROM sqlite_master"})
g.post("two statements are refused", Q, {"sql": "SELECT 1; DROP TABLE x"})
g.post("an empty query", Q, {"sql": ""})
g.post("a query of the wrong type", Q, {"sql": 5})
g.post("parameters of the wrong type", Q, {"sql": "SELECT ?", "params": "x"})
g.post("too few parameters", Q, {"sql": "SELECT ?, ?", "params": ["x"]})
g.get("nothing was created", "/api/database/tables", mode="shape", eq={"tables": lambda v: not any(t["name"].startswith("conf_") for t in v)})
