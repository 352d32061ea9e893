//! The whole service on SQLite, from the outside.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The running program; it is killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_service_lists_the_concerts_and_the_dates_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_sqlite-catalog"))
        .arg(folder.path().join("catalog.sqlite"))
        .args(["http.bind=127.0.0.1:0", "ops.bind=127.0.0.1:0", "catalog.sample_concerts=500"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    let _program = Program(program);
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();

    let page = agent.get(format!("{address}/api/v1/concerts/query?page=50")).call().unwrap();
    assert_eq!(page.headers()["x-total-count"], "500");
    let ticket = agent.post(format!("{address}/api/v1/user/7/queue/token/issue")).send_empty();
    let ticket = ticket.unwrap().body_mut().read_to_string().unwrap();
    let token = ticket.split("\"waitingToken\":\"").nth(1).unwrap().split('"').next().unwrap();
    let dates = agent
        .get(format!("{address}/api/v1/concert/451/date"))
        .header("waitingToken", token)
        .call();
    let mut dates = dates.unwrap();
    let body = dates.body_mut().read_to_string().unwrap();
    assert_eq!(dates.status(), 200, "{body}");
    assert_eq!(body.matches("seatsLeft").count(), 3, "{body}");
}
