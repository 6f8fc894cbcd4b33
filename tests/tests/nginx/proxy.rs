//! nginx with the settings of `docs/clients/nginx.conf`; only the names and ports that
//! everybody has to replace are replaced.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use docferry_system_tests::{SHORT, eventually};

pub(crate) struct Proxy {
    pub(crate) url: String,
    nginx: Child,
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
    pub(crate) async fn start(program: &OsStr, upstream: u16) -> Self {
        for _ in 0..5 {
            if let Some(proxy) = Self::on_a_free_port(program, upstream).await {
                return proxy;
            }
        }
        panic!("each port was taken by somebody else first");
    }

    /// `None` when somebody took the port before nginx did.
    async fn on_a_free_port(program: &OsStr, upstream: u16) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("docferry-nginx-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("error.log");
        let main = folder.join("nginx.conf");
        std::fs::write(folder.join("docferry.conf"), settings(port, upstream)).unwrap();
        std::fs::write(&main, around(&folder)).unwrap();
        let nginx = |more: &[&str]| {
            let mut command = Command::new(program);
            command.arg("-p").arg(&folder).arg("-c").arg(&main).arg("-e").arg(&log).args(more);
            command.stdin(Stdio::null());
            command
        };
        let tested = nginx(&["-t"]).output().unwrap();
        let said = String::from_utf8_lossy(&tested.stderr).into_owned();
        let logged = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(tested.status.success(), "{said}{logged}");
        let mut proxy = Self {
            url: format!("http://127.0.0.1:{port}"),
            nginx: nginx(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(),
            folder,
        };
        let is_taken = || {
            let logged = std::fs::read_to_string(&log).unwrap_or_default();
            logged.contains("bind() to") && logged.contains("failed")
        };
        // It tells of a port that is taken before it has a process to serve others.
        let has_it = eventually("nginx listens", SHORT, async || {
            if is_taken() {
                return Some(false);
            }
            assert!(proxy.nginx.try_wait().unwrap().is_none(), "nginx has ended");
            // Written once it has its ports; the check of the settings leaves it empty.
            let pid = std::fs::metadata(proxy.folder.join("nginx.pid"));
            pid.is_ok_and(|file| file.len() > 0).then_some(true)
        })
        .await;
        (has_it && !is_taken()).then_some(proxy)
    }
}

fn settings(port: u16, upstream: u16) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut text = std::fs::read_to_string(root.join("docs/clients/nginx.conf")).unwrap();
    for (there, ours, count) in [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port};"), 1),
        ("    ssl_certificate /etc/nginx/docferry.pem;\n", String::new(), 1),
        ("    ssl_certificate_key /etc/nginx/docferry.key;\n", String::new(), 1),
        ("    proxy_ssl_verify on;\n", String::new(), 1),
        (
            "    proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;\n",
            String::new(),
            1,
        ),
        ("a1b2c3d4e5.execute-api.ca-central-1.amazonaws.com", format!("127.0.0.1:{upstream}"), 1),
        ("proxy_pass https://", "proxy_pass http://".to_owned(), 2),
    ] {
        let found = text.matches(there).count();
        assert_eq!(found, count, "{there}");
        text = text.replace(there, &ours);
    }
    text
}

/// What every installation has around it, with all files in one folder.
fn around(folder: &Path) -> String {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = kinds.map(|kind| format!("  {kind}_temp_path {}/{kind};\n", folder.display()));
    format!(
        "daemon off;\nmaster_process off;\npid {0}/nginx.pid;\nevents {{}}\n\
         http {{\n  access_log off;\n{1}  include {0}/docferry.conf;\n}}\n",
        folder.display(),
        temporary.concat()
    )
}
