//! The deployed proxy configurations enforce the limits that only a proxy can.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use test_support::Balancer;

use super::{LIST, connect, connect_and_send, is_served, read_to_end};
use crate::program::Serving;
use crate::support::eventually;

const HAPROXY: &str = include_str!("../../../../../deploy/balancer/haproxy.cfg");
const NGINX: &str = include_str!("../../../../../deploy/balancer/nginx.conf");

/// The deployed configuration for three nodes, with this node in their place and shorter limits.
fn configuration(deployed: &str, node: &Serving, replaced: &[(&str, &str)]) -> String {
    let mut text = deployed.to_owned();
    for number in 1..=3 {
        let server = format!("10.0.0.{number}:8081");
        let port = node.ops.port();
        text = text.replace(
            &format!("{server} check port 9081"),
            &format!("{} check port {port}", node.public),
        );
        text = text.replace(&server, &node.public.to_string());
    }
    for (from, to) in replaced {
        assert!(text.contains(from), "{from} is deployed");
        text = text.replace(from, to);
    }
    text
}

/// Waits until the proxy serves; its health checks must succeed first.
fn wait_for(proxy: SocketAddr) {
    eventually("the proxy serves", || is_served(&mut connect(proxy)).unwrap_or(false));
}

fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

#[test]
fn haproxy_counts_connections_by_address() {
    let node = Serving::start(&["--set", "http.workers=1"]);
    let proxy = Balancer::haproxy(|address| {
        let bind = format!("bind {address}");
        configuration(HAPROXY, &node, &[("bind :80", &bind), ("gt 1000", "gt 5")])
    })
    .unwrap();
    wait_for(proxy.address());
    let connect = || connect(proxy.address());
    let mut open = Vec::new();
    eventually("five stay open, and the sixth is closed", || {
        open = (0..5).map(|_| connect()).collect();
        open.iter_mut().all(|stream| is_served(stream).unwrap_or(false))
            && is_closed(&mut connect())
    });
    open.clear();
    eventually("closed connections make room", || is_served(&mut connect()).unwrap_or(false));
}

#[test]
fn haproxy_gives_every_head_its_time() {
    let node = Serving::start(&["--set", "http.workers=1"]);
    let proxy = Balancer::haproxy(|address| {
        let bind = format!("bind {address}");
        let replaced =
            [("bind :80", bind.as_str()), ("timeout http-request 10s", "timeout http-request 1s")];
        configuration(HAPROXY, &node, &replaced)
    })
    .unwrap();
    wait_for(proxy.address());
    let (answers, took) =
        read_to_end(&mut connect_and_send(proxy.address(), &format!("{LIST}GET /api/v1/con")));
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn nginx_counts_requests_at_once_by_address_and_gives_every_head_its_time() {
    let node = Serving::start(&["--set", "http.workers=1"]);
    let proxy = Balancer::nginx(|address| {
        let listen = format!("listen {address};");
        let replaced = [
            ("listen 80;", listen.as_str()),
            ("limit_conn visitors 1000;", "limit_conn visitors 5;"),
            ("client_header_timeout 5s;", "client_header_timeout 1s;"),
            ("client_body_timeout 5s;", "client_body_timeout 20s;"),
        ];
        configuration(NGINX, &node, &replaced)
    })
    .unwrap();
    wait_for(proxy.address());
    let join =
        "POST /api/v1/user/1/queue/token/issue HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{";
    let mut open: Vec<_> = (0..5).map(|_| connect_and_send(proxy.address(), join)).collect();
    eventually("a sixth request is refused", || {
        let mut sixth = connect(proxy.address());
        sixth.write_all(LIST.as_bytes()).unwrap();
        let mut status = [0; 12];
        sixth.read_exact(&mut status).unwrap();
        &status == b"HTTP/1.1 429"
    });
    open.clear();
    wait_for(proxy.address());
    let (answers, took) =
        read_to_end(&mut connect_and_send(proxy.address(), &format!("{LIST}GET /api/v1/con")));
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
