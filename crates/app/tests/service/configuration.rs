//! The program itself: its configuration, its tokens, its signals.

mod old_keys;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use crate::program::{PROGRAM, Serving, boxoffice, text};

const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";

#[test]
fn every_configuration_error_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let unknown = file("unknown.toml", "[http]\nbnd = \"127.0.0.1:1\"\n");
    let broken = file("broken.toml", "[http\n");
    let flags: &[(&[&str], &str)] = &[
        (&["--set", "queue.policy.batch=0"], "queue.policy.batch must be from 1"),
        (&["--set", "queue.policy.every=0s"], "queue.policy.every must be"),
        (&["--set", "queue.policy.session_ttl=25h"], "queue.policy.session_ttl must be"),
        (&["--set", "queue.poll.farthest=20m"], "queue.poll.farthest must be well below"),
        (&["--set", "queue.poll.nearest=1ms"], "queue.poll.nearest must be"),
        (
            &["--set", "queue.refresh=400ms", "--set", "queue.poll.nearest=200ms"],
            "queue.refresh must not be above queue.poll.nearest",
        ),
        (
            &["--set", "queue.policy.every=100ms"],
            "queue.refresh must be at most half of queue.policy.every",
        ),
        (&["--set", "queue.token_ttl=1m"], "queue.token_ttl must be at least"),
        (&["--set", "http.max_header_bytes=1000000"], "http.max_header_bytes must be"),
        (&["--set", "queue.id=Main Stage"], "queue.id is not a queue id"),
        (
            &["--set", "queue.keys=c2hvcnQ"],
            "queue.keys number 1 is not a key: a token key has at least 32 bytes",
        ),
        (&["--set", "queue.store=postgres"], "queue.store must be one of `memory`, `redis`"),
        (
            &["--set", "http.shutdown_timeout=1s"],
            "http.shutdown_timeout must be at least http.request_timeout",
        ),
        (&["--set", "http.client_timeout=200ms"], "http.client_timeout must be at least 1s"),
        (&["--set", "http.bind=nowhere"], "http.bind must be an address and port such as"),
        (
            &["--set", "http.request_timeout=soon"],
            "http.request_timeout must be a duration such as",
        ),
        (&["--set", "http.workers=many"], "http.workers must be a whole number from 0 to"),
        (
            &["--set", "queue.policy.batch=-1"],
            "queue.policy.batch must be a whole number from 0 to 4294967295",
        ),
        (&["--set", "telemetry.metrics=perhaps"], "telemetry.metrics must be true or false"),
        (&["--set", "cache.dates.jitter=some"], "cache.dates.jitter must be a number"),
        (
            &["--set", "postgres=postgres://a:hunter2@h/d"],
            "postgres must be a section, whose keys are set one by one: url, pooler",
        ),
        (&["--set", "queue.keys=[\"hunter2"], "queue.keys must be a string, or a list of strings"),
        (&["--set", "catalog.store=postgres"], "postgres.url is needed"),
        (&["--set", "cache.store=redis"], "redis.cache.url is needed"),
        (
            &["--set", "cache.store=redis", "--set", "redis.cache.url=redis://:hunter2@h"],
            "queue.keys is needed with cache.store = \"redis\"",
        ),
        (&["--set", "cache.dates.ttl=0s"], "cache.dates.ttl must be from 1ms to 1h"),
        (
            &["--set", "cache.concerts.stale_if_error=1s"],
            "cache.concerts.stale_while_refreshing must be from 0s to 1s",
        ),
        (&["--set", "cache.concerts.jitter=2"], "cache.concerts.jitter must be from 0 to 0.9"),
        (
            &["--set", "cache.dates.load_limit=500ms"],
            "cache.dates.load_limit must be above limits.dates.timeout, 1s",
        ),
        (
            &["--set", "cache.dates.load_limit=1500ms"],
            "cache.dates.load_limit must be at least the sum of limits.dates.wait and limits.dates.timeout, 2s",
        ),
        (&["--set", "cache.lease=1s"], "cache.lease must be above every load_limit"),
        (&["--set", "http.request_timeout=2s"], "http.request_timeout must be above 3s"),
        (
            &["--set", "breaker.catalog.failure_rate=0"],
            "breaker.catalog.failure_rate must be more than 0",
        ),
        (&["--set", "breaker.queue.window=0"], "breaker.queue.window must be of 1 to"),
        (&["--set", "limits.dates.wait=1m"], "limits.dates.wait must be at most 10s"),
        (&["--set", "retry.attempts=0"], "retry.attempts must be from 1 to 5"),
        (&["--set", "redis.cache.pool.size=0"], "redis.cache.pool.size must be from 1 to 1000"),
        (
            &[
                "--set",
                "redis.queue.url=redis://:hunter2@h",
                "--set",
                "redis.cache.url=redis://:hunter2@h",
            ],
            "redis.cache.url must not be redis.queue.url: the queue's Redis must never evict keys",
        ),
        (
            &[
                "--set",
                "redis.queue.url=redis://h/0",
                "--set",
                "redis.cache.url=rediss://other:hunter2@h:6379/1",
            ],
            "redis.cache.url must not be redis.queue.url",
        ),
        (
            &["--set", "redis.queue.url=redis-cluster://a,b", "--set", "redis.cache.url=redis://b"],
            "redis.cache.url must not be redis.queue.url",
        ),
        (&["--set", "postgres.url=postgres://a:hunter2@h"], "postgres.url names no database"),
        (&["--set", "postgres.pool.size=0"], "postgres.pool.size must be from 1 to 1000"),
        (
            &["--set", "postgres.pool.min_idle=11"],
            "postgres.pool.min_idle must be at most postgres.pool.size",
        ),
        (
            &["--set", "postgres.pool.acquire_timeout=30s"],
            "postgres.pool.acquire_timeout must be from 10ms to 10s",
        ),
        (&["--set", "postgres.lock_timeout=2s"], "postgres.lock_timeout must be from 10ms to 1s"),
        (
            &[
                "--set",
                "catalog.store=postgres",
                "--set",
                "postgres.url=postgres://a@h/d",
                "--set",
                "http.request_timeout=1s",
            ],
            "http.request_timeout must be above 1s 750ms",
        ),
        (&["--set", "queue.store=redis"], "redis.queue.url is needed: redis://host:6379"),
        (&["--set", "redis.queue.url=redis://hunter2@h"], "redis.queue.url is not a Redis address"),
        (
            &["--set", "redis.queue.url=redis://a:hunter2@h:x"],
            "redis.queue.url is not a Redis address",
        ),
        (&["--set", "redis.queue.url=hunter2"], "redis.queue.url is not a Redis address"),
        (
            &["--set", "queue.store=redis", "--set", "redis.queue.url=redis://:hunter2@h:1"],
            "queue.keys is needed with queue.store = \"redis\"",
        ),
        (
            &["--set", "queue.checkpoint.store=postgres", "--set", "queue.store=redis"],
            "postgres.url is needed",
        ),
        (
            &["--set", "redis.queue.url=redis-cluster://:hunter2@h/1"],
            "redis.queue.url is not a Redis address: a cluster has only one database",
        ),
        (
            &["--set", "redis.cache.url=redis://h", "--set", "redis.cache.tls.ca_file=ca.pem"],
            "redis.cache.tls has files, and the URL does not ask for TLS (rediss://)",
        ),
        (
            &["--set", "redis.queue.url=rediss://h", "--set", "redis.queue.tls.key_file=key.pem"],
            "redis.queue.tls needs certificate_file and key_file together",
        ),
        (
            &["--set", "redis.queue.url=redis://h", "--set", "redis.queue.sentinel.user=hunter2"],
            "redis.queue.sentinel is given, and the URL names no sentinels",
        ),
        (
            &[
                "--set",
                "redis.queue.url=redis-sentinel://h/main",
                "--set",
                "redis.queue.sentinel.user=watch",
            ],
            "redis.queue.sentinel.password is needed for that user",
        ),
        (
            &[
                "--set",
                "queue.store=redis",
                "--set",
                "queue.keys=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "--set",
                "redis.queue.url=rediss://:hunter2@h",
                "--set",
                "redis.queue.tls.ca_file=/nowhere.pem",
            ],
            "redis.queue.tls /nowhere.pem: No such file",
        ),
        (&["--set", "postgres.pooler=pgpool"], "postgres.pooler"),
        (&["--set", "redis.queue.when_unsafe=never"], "redis.queue.when_unsafe"),
        (&["--set", "redis.queue.timeout=1ms"], "redis.queue.timeout must be from 10ms to 10s"),
        (&["--set", "queue.checkpoint.reserve=1"], "queue.checkpoint.reserve must be from 100"),
        (&["--set", "ops.check_every=0s"], "ops.check_every must be from 100ms to 60s"),
        (&["--set", "overload.max_keys=1"], "overload.max_keys must be from 100 to 10000000"),
        (
            &["--set", "overload.asking.limit=1000001"],
            "overload.asking.limit must be at most 1000000",
        ),
        (
            &["--set", "overload.reading.max_waiting=1000001"],
            "overload.reading.max_waiting must be at most 1000000",
        ),
        (
            &["--set", "overload.per_user.burst=0"],
            "overload.per_user.burst must be from 1 to 1000000",
        ),
        (
            &["--set", "overload.per_address.per_second=1000001"],
            "overload.per_address.per_second must be at most 1000000",
        ),
        (&["--set", "overload.address_from=forwarded"], "overload.address_from"),
        (&["--set", "overload.trusted_hops=0"], "overload.trusted_hops must be from 1 to 16"),
        (&["--set", "overload.site_multiple=0"], "overload.site_multiple must be from 1 to 65536"),
        (
            &["--set", "overload.joining_per_address.burst=0"],
            "overload.joining_per_address.burst must be from 1 to 1000000",
        ),
        (
            &["--set", "http.proxies=10.0.0.0/8,proxy"],
            "http.proxies must be networks such as 10.0.0.0/8",
        ),
        (
            &["--set", "http.cors_origins=https://shop.example/"],
            "http.cors_origins an origin is http:// or https:// and a host in lower case",
        ),
        (&["--set", "http.answer_timeout=10ms"], "http.answer_timeout must be at least 1s"),
        (
            &["--set", "overload.polling.max_multiple=101"],
            "overload.polling.max_multiple must be at most 100",
        ),
        (&["--set", "concerts.page_size=0"], "concerts.page_size must be from 1 to 1000"),
        (&["--set", "telemetry.log_format=xml"], "telemetry.log_format must be"),
        (
            &["--set", "queue.polcy.batch=1"],
            "queue.polcy is unknown; expected one of id, store, keys, token_ttl, refresh",
        ),
        (&["--set", "quue.id=a"], "quue is unknown; expected one of http, ops,"),
        (&["--set", "nonsense"], "--set number 1 is not KEY=VALUE"),
        (
            &["--set", "queue.id=a", "--set", "postgres://shop:hunter2@db/shop"],
            "--set number 2 is not KEY=VALUE",
        ),
        (
            &["--set", "postgres://shop:hunter2@db/shop?sslmode=require"],
            "--set number 1 is not KEY=VALUE",
        ),
        (&["--config", "/nowhere.toml"], "the file given with --config does not exist"),
        (&["--config", &unknown], "bnd"),
        (&["--config", &broken], "broken.toml"),
    ];
    for (arguments, expected) in flags {
        let output = boxoffice(arguments, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains(expected) && said.starts_with("boxoffice: configuration: "),
            "{arguments:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(output.stdout.is_empty());
    }
    let unknown_variable = boxoffice(&["config"], &[("BOXOFFICE__QUEUE__POLCY__BATCH", "1")]);
    assert_eq!(unknown_variable.status.code(), Some(2));
    assert!(text(&unknown_variable.stderr).contains("polcy"));
}

#[test]
fn a_file_beside_the_program_is_read_unless_another_is_named() {
    // A hard link, not a copy: a file just written cannot be executed while a parallel test starts
    // a program.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = folder.path().join("boxoffice");
    fs::hard_link(PROGRAM, &program).unwrap();
    fs::write(folder.path().join("boxoffice.toml"), "[concerts]\npage_size = 7\n").unwrap();
    let other = folder.path().join("other.toml");
    fs::write(&other, "[concerts]\npage_size = 8\n").unwrap();
    for (arguments, expected) in
        [(vec!["config"], 7), (vec!["config", "--config", other.to_str().unwrap()], 8)]
    {
        let output = Command::new(&program).args(&arguments).output().unwrap();
        let shown: toml::Table = toml::from_str(text(&output.stdout)).unwrap();
        assert_eq!(
            shown["concerts"]["page_size"].as_integer(),
            Some(expected),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn the_version_names_the_commit() {
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = git.ok().filter(|output| output.status.success());
    let expected = match &commit {
        Some(output) => {
            format!("boxoffice {} ({})\n", env!("CARGO_PKG_VERSION"), text(&output.stdout).trim())
        }
        None => format!("boxoffice {}\n", env!("CARGO_PKG_VERSION")),
    };
    assert_eq!(text(&boxoffice(&["--version"], &[]).stdout), expected);
}

#[test]
fn a_list_of_keys_is_read_in_every_form() {
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let forms = [
        format!("{KEY},{other}"),
        format!("[\"{KEY}\", \"{other}\"]"),
        format!(" ['{KEY}','{other}'] "),
    ];
    for form in &forms {
        let flag = format!("queue.keys={form}");
        let by_flag = boxoffice(&["config", "--set", &flag], &[]);
        let by_variable = boxoffice(&["config"], &[("BOXOFFICE__QUEUE__KEYS", form)]);
        for output in [by_flag, by_variable] {
            let shown = text(&output.stdout);
            assert!(
                shown.contains("keys = [\"(secret)\", \"(secret)\"]"),
                "{}",
                text(&output.stderr)
            );
        }
    }
    let headers = ["config", "--set", "telemetry.otlp.headers=[\"a=b,c\", \"d=e\"]"];
    let shown = boxoffice(&headers, &[]);
    assert!(text(&shown.stdout).contains("headers = [\"(secret)\", \"(secret)\"]"), "{shown:?}");
    let one = boxoffice(&["config", "--set", "telemetry.resource=a=b,c"], &[]);
    assert!(
        text(&one.stdout).contains("resource = [\"a=b,c\"]"),
        "a comma is part of a value: {one:?}"
    );
}

/// A value that must not be repeated, because it may be a password.
const CANARY: &str = "hunter2Canary";

/// A description, the arguments, and the environment variables.
type Way = (String, Vec<String>, Vec<(String, String)>);

/// Every way to put a value in the wrong place.
#[test]
fn no_error_repeats_a_value_in_the_wrong_place() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("postgres://u:{CANARY}@h/d");
    let quoted = format!("\"{CANARY}\"");
    let keys = [
        "postgres",
        "postgres.url",
        "postgres.url.x",
        "postgres.url_file",
        "postgres.pool",
        "postgres.pool.size",
        "redis",
        "redis.queue",
        "redis.queue.url",
        "redis.queue.when_unsafe",
        "redis.cache",
        "redis.cache.url",
        "redis.cache.prefix",
        "queue",
        "queue.id",
        "queue.store",
        "queue.keys",
        "queue.keys.first",
        "queue.keys_file",
        "queue.token_ttl",
        "queue.policy",
        "queue.policy.batch",
        "telemetry",
        "telemetry.otlp",
        "telemetry.otlp.endpoint",
        "telemetry.otlp.headers",
        "telemetry.otlp.headers.x",
        "telemetry.otlp.protocol",
        "telemetry.otlp.logs",
        "telemetry.resource",
        "telemetry.log_filter",
        "telemetry.log_format",
        "telemetry.traces.sample",
        "http",
        "http.bind",
        "http.workers",
        "http.request_timeout",
        "overload.address_from",
        "breaker.queue.window_unit",
        "breaker.queue.mode",
        "cache.store",
        "cache.dates.jitter",
        "catalog",
        "nothing",
        "queue.nothing",
    ];
    let mut ways: Vec<Way> = Vec::new();
    let mut flag = |what: String, words: &[&str]| {
        ways.push((what, words.iter().map(|&word| word.to_owned()).collect(), Vec::new()));
    };
    let values = [
        CANARY.to_owned(),
        address.clone(),
        format!("[{quoted}"),
        format!("[[{quoted}]]"),
        format!("-{CANARY}"),
    ];
    for key in keys {
        for value in values.iter().skip(key.len() % 2).step_by(2) {
            flag(format!("--set {key}=…"), &["config", "--set", &format!("{key}={value}")]);
        }
    }
    // Without a key, or with something else in its place.
    for text in [
        CANARY,
        &address,
        &format!("{CANARY}="),
        &format!("{address}?sslmode=require"),
        &format!("queue.{CANARY}=1"),
        &format!("queue.keys[{CANARY}]=1"),
        &format!("queue.keys {CANARY}"),
        &format!("queue.keys:{CANARY}"),
        &format!("={CANARY}"),
        &format!("{CANARY}[0]=x"),
    ] {
        flag("--set".to_owned(), &["config", "--set", text]);
    }
    // On the command line, beside valid arguments.
    for words in [
        &["config", CANARY][..],
        &[CANARY],
        &["config", &format!("--{CANARY}")],
        &["config", &format!("--reference={CANARY}")],
        &["config", &format!("--sett={CANARY}")],
        &["config", "--set", "queue.id=a", CANARY],
        &["config", "--config", &format!("queue.keys={CANARY}")],
        &["config", "--config", CANARY],
        &["--config", &format!("redis://u:{CANARY}@h:6379")],
        &["cache", "invalidate", "concerts", "--config", CANARY],
        &["config", "--set=queue.id=a", &format!("-{CANARY}")],
        &["diagnostics", "--ops", CANARY],
        &["health", "--ops", CANARY],
        &["health", "--timeout", CANARY],
        &["seed", "--concerts", CANARY],
        &["cache", CANARY],
        &["cache", "invalidate", CANARY],
        &["token", CANARY],
        &["token", "inspect", CANARY],
        &["token", "inspect", "a", CANARY],
        &["token", "new-key", CANARY],
        &["migrate", "--revert-last", CANARY],
        &["import", "a.csv", CANARY],
        &["import", "a.csv", "--format", CANARY],
    ] {
        flag(words[0].to_owned(), words);
    }
    // Parsing is the same from here on, so one value represents all.
    for (key, value) in keys.iter().zip(values.iter().cycle()) {
        let name = format!("BOXOFFICE__{}", key.to_uppercase().replace('.', "__"));
        ways.push((name.clone(), vec!["config".to_owned()], vec![(name, value.clone())]));
    }
    let odd = [
        format!("BOXOFFICE__{CANARY}"),
        format!("BOXOFFICE__QUEUE__{address}"),
        format!("BOXOFFICE__[{CANARY}"),
    ];
    ways.extend(
        odd.map(|name| (name.clone(), vec!["config".to_owned()], vec![(name, "1".to_owned())])),
    );
    let contents = [
        format!("postgres = \"{address}\""),
        format!("redis = {quoted}"),
        format!("[redis]\nqueue = {quoted}"),
        format!("queue = [{quoted}]"),
        format!("queue.keys = {{ a = {quoted} }}"),
        format!("[queue]\nkeys = [[{quoted}]]"),
        format!("[queue]\nkeys = [1, {quoted}"),
        format!("[queue]\nkeys = {quoted}\nkeys = {quoted}"),
        format!("[queue]\n{quoted} = 1"),
        format!("[{quoted}]\na = 1"),
        format!("[queue.policy]\nbatch = {quoted}"),
        format!("[http]\nrequest_timeout = {quoted}\nbind = {quoted}"),
        format!("[http]\nrequest_timeout = [{quoted}]"),
        format!("[postgres]\nurl = {{ password = {quoted} }}"),
        format!("[postgres]\nurl = [{quoted}]"),
        format!("[telemetry.otlp]\nheaders = {{ authorization = {quoted} }}"),
        format!("[telemetry.otlp]\nheaders = [{quoted}]"),
        format!("[telemetry.otlp]\nlogs = {quoted}"),
        CANARY.to_owned(),
        format!("[postgres]\nurl = \"{address}"),
        format!("[postgres]\nurl = {address}"),
    ];
    for (nth, content) in contents.iter().enumerate() {
        let path = folder.path().join(format!("{nth}.toml"));
        fs::write(&path, content).unwrap();
        let words = ["config", "--config", path.to_str().unwrap()].map(ToOwned::to_owned);
        ways.push((content.replace(CANARY, "…"), words.to_vec(), Vec::new()));
    }
    let mut reported = Vec::new();
    for (what, words, variables) in &ways {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let output = boxoffice(&words, &variables);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        // The collector's address and the resource attributes are printed, as documented.
        let is_shown = output.status.success();
        assert!(
            is_shown || output.status.code().is_some_and(|code| code == 1 || code == 2),
            "{what}: {output:?}"
        );
        let is_secret = !is_shown
            || ["url", "keys", "headers"].iter().any(|key| what.to_lowercase().contains(key));
        if is_secret && said.to_lowercase().contains(&CANARY.to_lowercase()) {
            reported.push(format!("{what}: {said}"));
        }
    }
    assert!(
        reported.is_empty(),
        "{} of {} ways:\n{}",
        reported.len(),
        ways.len(),
        reported.join("\n")
    );
}

/// The error for a variable that is not UTF-8 names its key.
#[test]
fn no_error_repeats_a_variable_that_is_not_utf_8() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = std::ffi::OsString::from_vec([CANARY.as_bytes(), b"\xff"].concat());
    let output = Command::new(PROGRAM)
        .arg("config")
        .env("BOXOFFICE__POSTGRES__URL", value)
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("postgres.url must be valid UTF-8") && !said.contains(CANARY), "{said}");
}

/// A file's content in the place of its name.
#[test]
fn no_error_repeats_a_private_key() {
    let key = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
    let variables = [
        ("BOXOFFICE__QUEUE__STORE", "redis"),
        ("BOXOFFICE__REDIS__QUEUE__URL", "rediss://h"),
        ("BOXOFFICE__REDIS__QUEUE__TLS__CERTIFICATE_FILE", key.as_str()),
        ("BOXOFFICE__REDIS__QUEUE__TLS__KEY_FILE", key.as_str()),
    ];
    let output = boxoffice(&[], &variables);
    let said = text(&output.stderr);
    assert!(said.contains("not the name of a file") && !said.contains(CANARY), "{said}");
}

/// A password may look like a number.
#[test]
fn a_variable_is_taken_as_it_is() {
    let output = boxoffice(
        &["config"],
        &[("BOXOFFICE__QUEUE__ID", "007"), ("BOXOFFICE__QUEUE__POLICY__BATCH", "50")],
    );
    let shown: toml::Table = toml::from_str(text(&output.stdout)).unwrap();
    assert_eq!(shown["queue"]["id"].as_str(), Some("007"), "{}", text(&output.stderr));
    assert_eq!(shown["queue"]["policy"]["batch"].as_integer(), Some(50));
}

#[test]
fn no_error_repeats_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.toml");
    let broken = [
        format!("[queue]\nkeys = [\"{KEY}\"\nid = \"main\"\n"),
        format!("[queue]\nkeys = [[\"{KEY}\"]]\n"),
        format!("[queue.keys]\nfirst = \"{KEY}\"\n"),
        format!("[queue]\nkeys = [\"{}\"]\n", &KEY[..30]),
        format!("[breaker.\"{KEY}\"]\nlongest_half_open = \"1s\"\nmax_half_open = \"1s\"\n"),
    ];
    for content in &broken {
        fs::write(&path, content).unwrap();
        let output = boxoffice(&["config", "--config", path.to_str().unwrap()], &[]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{content}: {said}");
        assert!(!said.contains(&KEY[..8]), "{said}");
    }
    fs::write(&path, format!("[queue]\nkeys = \"{KEY}\"\n")).unwrap();
    let single = boxoffice(&["config", "--config", path.to_str().unwrap()], &[]);
    assert!(text(&single.stdout).contains("keys = [\"(secret)\"]"), "one key needs no list");
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.toml");
    fs::write(&path, "[queue.policy]\nbatch = 1\nmax_active = 1\n[concerts]\npage_size = 1\n")
        .unwrap();
    let environment =
        [("BOXOFFICE__QUEUE__POLICY__BATCH", "2"), ("BOXOFFICE__QUEUE__POLICY__MAX_ACTIVE", "2")];
    let arguments = ["config", "--config", path.to_str().unwrap(), "--set", "queue.policy.batch=3"];
    let output = boxoffice(&arguments, &environment);
    let shown: toml::Table = toml::from_str(text(&output.stdout)).unwrap();
    assert_eq!(shown["queue"]["policy"]["batch"].as_integer(), Some(3), "{}", text(&output.stderr));
    assert_eq!(shown["queue"]["policy"]["max_active"].as_integer(), Some(2));
    assert_eq!(shown["concerts"]["page_size"].as_integer(), Some(1));
}

#[test]
fn the_printed_configuration_can_be_loaded_and_contains_no_secret() {
    let keys = format!("{KEY},AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let output = boxoffice(&["config"], &[("BOXOFFICE__QUEUE__KEYS", &keys)]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(shown.contains("keys = [\"(secret)\", \"(secret)\"]"), "{shown}");
    assert!(!shown.contains(KEY));

    let url = ["config", "--set", "redis.queue.url=redis://boxoffice:hunter2@h:1"];
    let output = boxoffice(&url, &[]);
    let shown = text(&output.stdout);
    assert!(shown.contains("url = \"(secret)\"") && !shown.contains("hunter2"), "{shown}");

    let defaults = boxoffice(&["config"], &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("defaults.toml");
    fs::write(&path, &defaults.stdout).unwrap();
    let again = boxoffice(&["config", "--config", path.to_str().unwrap()], &[]);
    assert_eq!(text(&again.stdout), text(&defaults.stdout));
}

#[test]
fn both_signals_end_the_program_cleanly_with_an_idle_connection_open() {
    for signal in ["-TERM", "-INT"] {
        let mut serving = Serving::start(&[]);
        let _idle = TcpStream::connect(serving.public).unwrap();
        let _also_idle = TcpStream::connect(serving.ops).unwrap();
        serving.signal(signal);
        let (code, log) = serving.end();
        assert_eq!(code, Some(0), "{signal}: {log}");
        assert!(log.contains("draining") && log.contains("stopped"), "{log}");
    }
}

#[test]
fn a_second_signal_ends_the_program_at_once_and_is_logged() {
    let mut serving = Serving::start(&["--set", "http.drain_delay=20s"]);
    for signal in ["-TERM", "-INT"] {
        serving.signal(signal);
    }
    let (code, log) = serving.end();
    assert_eq!(code, Some(130), "{log}");
    assert!(log.contains("received a second stop signal"), "{log}");
}

#[test]
fn without_a_key_one_warning_says_that_tokens_will_not_outlive_the_run() {
    let mut without = Serving::start(&[]);
    without.signal("-TERM");
    let (_, log) = without.end();
    assert_eq!(log.matches("waiting tokens will not outlive it").count(), 1, "{log}");

    let mut with = Serving::start(&["--set", &format!("queue.keys={KEY}")]);
    with.signal("-TERM");
    let (_, log) = with.end();
    assert!(!log.contains("outlive") && !log.contains(KEY), "{log}");
}

#[test]
fn settings_are_accepted_before_and_after_the_command() {
    let shown = |arguments: &[&str]| text(&boxoffice(arguments, &[]).stdout).to_owned();
    let both = ["--set", "concerts.page_size=7", "config", "--set", "catalog.sample_concerts=77"];
    let page = shown(&both);
    assert!(page.contains("page_size = 7\n") && page.contains("sample_concerts = 77\n"), "{page}");
    let later_wins =
        shown(&["--set", "concerts.page_size=7", "config", "--set", "concerts.page_size=8"]);
    assert!(later_wins.contains("page_size = 8\n"), "{later_wins}");
}

#[test]
fn an_address_in_use_is_reported_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = format!("http.bind={}", taken.local_addr().unwrap());
    let output = boxoffice(
        &["--set", &bind, "--set", "ops.bind=127.0.0.1:0", "--set", "telemetry.log_filter=off"],
        &[],
    );
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("boxoffice: cannot listen on 127.0.0.1:") && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn a_token_is_inspected_with_the_keys_of_the_configuration() {
    let key = text(&boxoffice(&["token", "new-key"], &[]).stdout).trim().to_owned();
    let keys = format!("queue.keys={key}");
    let serving = Serving::start(&["--set", &keys]);
    let mut answer = ureq::post(&serving.url("/user/36/queue/token/issue")).send_empty().unwrap();
    let body: serde_json::Value =
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    let token = body["waitingToken"].as_str().unwrap();

    let good = boxoffice(&["token", "inspect", token, "--set", &keys], &[]);
    let shown: serde_json::Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(
        (&shown["queue"], &shown["number"], &shown["userId"]),
        (&"main".into(), &1.into(), &36.into())
    );
    assert_eq!(shown["keyIsCurrent"], true);

    let rotated = format!("queue.keys={KEY},{key}");
    let previous = boxoffice(&["token", "inspect", token, "--set", &rotated], &[]);
    assert!(text(&previous.stdout).contains("\"keyIsCurrent\": false"));

    let retired = format!("queue.keys={KEY}");
    for (arguments, expected) in [
        (vec!["token", "inspect", token, "--set", &retired], "unknown or retired key"),
        (vec!["token", "inspect", &token[1..], "--set", &keys], "the token"),
        (vec!["token", "inspect", token], "no key is configured"),
    ] {
        let refused = boxoffice(&arguments, &[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(expected), "{}", text(&refused.stderr));
        assert_eq!(text(&refused.stderr).lines().count(), 1);
    }
}

#[test]
fn logs_are_one_json_object_a_line_without_a_terminal() {
    let mut serving = Serving::start(&[]);
    serving.signal("-TERM");
    let (_, log) = serving.end();
    let mut lines = 0;
    for line in log.lines() {
        let object: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object["message"].is_string() && object["level"].is_string(), "{line}");
        lines += 1;
    }
    assert!(lines >= 3);
}

#[test]
fn the_production_example_is_complete_and_has_every_limit_on() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/production.toml");
    let secrets = [
        ("BOXOFFICE__QUEUE__KEYS", KEY),
        ("BOXOFFICE__POSTGRES__URL", "postgres://shop:hunter2@db/shop"),
        ("BOXOFFICE__REDIS__QUEUE__URL", "redis-sentinel://:hunter2@a,b,c/line"),
        ("BOXOFFICE__REDIS__CACHE__URL", "redis://:hunter2@copies"),
    ];
    let shown = boxoffice(&["--config", example, "config"], &secrets);
    let said = text(&shown.stdout);
    assert!(shown.status.success() && !said.contains("hunter2"), "{said} {}", text(&shown.stderr));
    let config: toml::Table = said.parse().unwrap();
    let overload = &config["overload"];
    for (section, key) in [
        ("per_user", "per_second"),
        ("per_address", "per_second"),
        ("joining_per_address", "per_second"),
        ("polling", "max_multiple"),
    ] {
        assert!(overload[section][key].as_integer().unwrap() > 0, "{section}.{key}");
    }
    let without = boxoffice(&["--config", example, "config"], &[]);
    assert_eq!(without.status.code(), Some(2), "the secrets are not in it");
}
