//! Runs nginx with the example configuration `docs/clients/nginx.conf`. The tests replace only the
//! names and ports that every installation has to replace.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use docferry_system_tests::{SHORT_TIMEOUT, eventually};

/// A running nginx. It stops when the value is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    nginx: Child,
    /// Folder with the configuration, the log and the temporary files.
    folder: PathBuf,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Proxy {
    /// Starts nginx, which forwards requests to the mock at `upstream_port`.
    pub(crate) async fn start(program: &OsStr, upstream_port: u16) -> Self {
        for _ in 0..5 {
            if let Some(proxy) = Self::start_on_free_port(program, upstream_port).await {
                return proxy;
            }
        }
        panic!("other processes took five free ports before nginx");
    }

    /// Starts nginx on a free port. Returns `None` if another process took the port first.
    async fn start_on_free_port(program: &OsStr, upstream_port: u16) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("docferry-nginx-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("error.log");
        let main_file = folder.join("nginx.conf");
        let example = example_configuration(port, upstream_port);
        std::fs::write(folder.join("docferry.conf"), example).unwrap();
        std::fs::write(&main_file, main_configuration(&folder)).unwrap();
        let nginx = |arguments: &[&str]| {
            let mut command = Command::new(program);
            command.arg("-p").arg(&folder).arg("-c").arg(&main_file).arg("-e").arg(&log);
            command.args(arguments);
            command.stdin(Stdio::null());
            command
        };
        let syntax_check = nginx(&["-t"]).output().unwrap();
        let error = String::from_utf8_lossy(&syntax_check.stderr).into_owned();
        let logged = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(syntax_check.status.success(), "{error}{logged}");
        let mut proxy = Self {
            url: format!("http://127.0.0.1:{port}"),
            nginx: nginx(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(),
            folder,
        };
        let port_is_taken = || {
            let logged = std::fs::read_to_string(&log).unwrap_or_default();
            logged.contains("bind() to") && logged.contains("failed")
        };
        let is_listening = eventually("nginx listens", SHORT_TIMEOUT, async || {
            if port_is_taken() {
                return Some(false);
            }
            assert!(proxy.nginx.try_wait().unwrap().is_none(), "nginx has ended");
            // nginx writes its pid file when it listens on its ports. Before that, the file is
            // empty, because the syntax check has created it.
            let pid_file = std::fs::metadata(proxy.folder.join("nginx.pid"));
            pid_file.is_ok_and(|file| file.len() > 0).then_some(true)
        })
        .await;
        // nginx logs that a port is taken before it writes its pid file. So nginx has the port if the
        // file is written and nothing is logged.
        (is_listening && !port_is_taken()).then_some(proxy)
    }
}

/// Returns the example configuration with these ports and without TLS.
fn example_configuration(port: u16, upstream_port: u16) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut text = std::fs::read_to_string(root.join("docs/clients/nginx.conf")).unwrap();
    for (original, replacement, count) in [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port};"), 1),
        ("    ssl_certificate /etc/nginx/docferry.pem;\n", String::new(), 1),
        ("    ssl_certificate_key /etc/nginx/docferry.key;\n", String::new(), 1),
        ("    proxy_ssl_verify on;\n", String::new(), 1),
        (
            "    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;\n",
            String::new(),
            1,
        ),
        (
            "a1b2c3d4e5.execute-api.ca-central-1.amazonaws.com",
            format!("127.0.0.1:{upstream_port}"),
            1,
        ),
        ("proxy_pass https://", "proxy_pass http://".to_owned(), 2),
    ] {
        assert_eq!(text.matches(original).count(), count, "{original}");
        text = text.replace(original, &replacement);
    }
    text
}

/// Returns the main configuration of nginx, which includes the example configuration and keeps all
/// files in one folder.
fn main_configuration(folder: &Path) -> String {
    let modules = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary_folders =
        modules.map(|module| format!("  {module}_temp_path {}/{module};\n", folder.display()));
    format!(
        "daemon off;\nmaster_process off;\npid {0}/nginx.pid;\nevents {{}}\n\
         http {{\n  access_log off;\n{1}  include {0}/docferry.conf;\n}}\n",
        folder.display(),
        temporary_folders.concat()
    )
}
