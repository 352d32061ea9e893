# The names people and CI use. Everything here also works without just.

# The service on its embedded default, at http://localhost:8081
run *arguments:
    cargo run --release -- {{arguments}}

# Every test
test:
    cargo xtask test

# Format, clippy, layers, documentation, mutants of changed lines
check:
    cargo xtask check

# Mutation tests of the domain's queue; --in-diff main: changed lines only
mutants *arguments:
    cargo xtask mutants {{arguments}}

# The pages that are printed from code
docs:
    cargo xtask docs

# What the release binary can do: ratios to a constant answer, growth, the loads of the report, knees
bench *arguments:
    cargo xtask bench {{arguments}}

# The dates query in Postgres, against pgbench
bench-dates *arguments:
    cargo xtask bench-dates {{arguments}}

# The queue in Redis: what joins cost, how fast they are, how much memory people take
bench-redis *arguments:
    cargo xtask bench-redis {{arguments}}

# Pages and dates from each level of the cache, against a constant answer
bench-cache *arguments:
    cargo xtask bench-cache {{arguments}}

# The status query with telemetry on, against the same with it off
bench-telemetry *arguments:
    cargo xtask bench-telemetry {{arguments}}

# Write the plans of the dates query on a million and on ten million seats
plans:
    cargo xtask plans

# A private Postgres server until Ctrl-C
postgres *arguments:
    cargo xtask postgres {{arguments}}

# A private Redis server, or with --cluster a cluster, until Ctrl-C
redis *arguments:
    cargo xtask redis {{arguments}}

# Three nodes behind a proxy, on a Redis cluster, under load, with --kill while some of it is killed
three-nodes *arguments:
    cargo xtask three-nodes {{arguments}}

# Demonstrate a resilience mechanism: storm, outage, overload, small-cache or watched
protect what *arguments:
    cargo xtask protect {{what}} {{arguments}}

# All four, one after the other, with what they print saved
protect-all:
    cargo xtask protect storm --save
    cargo xtask protect outage --save
    cargo xtask protect overload --save
    cargo xtask protect small-cache --save

# A k6 scenario on services of its own: issue, concerts, dates or sale; report, smoke, average, stress, spike, soak or breakpoint
loadtest scenario kind="smoke" *arguments:
    cargo xtask loadtest {{scenario}} {{kind}} {{arguments}}

# docs/load-report.md, from the results that are kept
report:
    cargo xtask report

# Whether a recorded sale was fair
verdict file *arguments:
    cargo xtask verdict {{file}} {{arguments}}
