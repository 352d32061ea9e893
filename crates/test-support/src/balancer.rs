//! A private load balancer.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::error::{Doing as _, Outcome, failed};
use crate::server_process::ServerProcess;
use crate::{haproxy, nginx};

/// A private load balancer. It stops when this is dropped or the process ends.
pub struct Balancer {
    server: ServerProcess,
}

/// The configuration around a file of `conf.d`. It runs one process, because workers outlive a
/// killed master.
const AROUND: &str = "\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include site.conf;
}
";

impl Balancer {
    /// Starts HAProxy with the configuration that `configuration` returns for its listen address.
    ///
    /// # Errors
    /// If it is not installed, or does not start, with the end of its log.
    pub fn haproxy(configuration: impl Fn(SocketAddr) -> String) -> Outcome<Self> {
        let program = haproxy::look().ok_or_else(|| absent("HAProxy"))?;
        Self::start("HAProxy", |folder, address| {
            fs::write(folder.join("haproxy.cfg"), configuration(address))
                .doing("writing a configuration")?;
            let mut command = Command::new(&program);
            // Runs in the foreground.
            command.args(["-db", "-f", "haproxy.cfg"]);
            Ok(command)
        })
    }

    /// Starts nginx with the `conf.d` file that `configuration` returns for its listen address.
    ///
    /// # Errors
    /// As for HAProxy.
    pub fn nginx(configuration: impl Fn(SocketAddr) -> String) -> Outcome<Self> {
        let program = nginx::look().ok_or_else(|| absent("nginx"))?;
        Self::start("nginx", |folder, address| {
            fs::write(folder.join("nginx.conf"), AROUND).doing("writing a configuration")?;
            fs::write(folder.join("site.conf"), configuration(address))
                .doing("writing a configuration")?;
            let mut command = Command::new(&program);
            command.arg("-p").arg(folder).args(["-e", "stderr", "-c", "nginx.conf"]);
            Ok(command)
        })
    }

    fn start(
        name: &'static str,
        command: impl Fn(&Path, SocketAddr) -> Outcome<Command>,
    ) -> Outcome<Self> {
        let mut server = ServerProcess::new(name)?;
        let folder = server.folder().to_owned();
        server.try_start(
            |address| command(&folder, address),
            |address| TcpStream::connect(address).is_ok(),
        )?;
        Ok(Self { server })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

fn absent(name: &str) -> crate::error::TaskError {
    failed(format!("{name} is not installed; `cargo xtask test` installs it"))
}
