//! The option `--keep` of the demo: keeps the stack running after the scenario, and prints commands
//! with which a user can try the service.

use std::fmt::Write as _;

use anyhow::Result;

use crate::stack::Stack;

/// Prints all addresses and waits for Ctrl-C.
pub(crate) async fn wait(stack: &Stack) -> Result<()> {
    println!("{}", instructions(stack)?);
    println!("\nEverything keeps running. Press Ctrl-C to stop.");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Returns the addresses of the stack and commands that use them.
fn instructions(stack: &Stack) -> Result<String> {
    let Stack { api, scv, ords, graph, oidc, identity, exchange, emulator, .. } = stack;
    let email = stack.users.first().map_or("someone@example.test", String::as_str);
    let login = quoted(&format!("{}:{}", scv.username, scv.password));
    let mut text = String::new();
    writeln!(text, "\nAddresses (also in target/demo.json):")?;
    for (name, url) in [
        ("API", api),
        ("emulator", emulator),
        ("ORDS simulator", &ords.url),
        ("  its admin", &ords.admin),
        ("Graph simulator", &graph.url),
        ("  its admin", &graph.admin),
        ("identity provider", &identity.url),
        ("  its admin", &identity.admin),
        ("exchange bucket", &format!("{}/{}", exchange.endpoint, exchange.bucket)),
    ] {
        writeln!(text, "  {name:<17} {url}")?;
    }
    // Any GUID works. This one is the base64 of the bytes 0 to 15.
    let guid = "AAECAwQFBgcICQoLDA0ODw==";
    let encoded_guid = guid.replace('=', "%3D");
    writeln!(text, "\nAdd a document of 5 MB to the object store:")?;
    let url = format!(
        "{}/documents/{encoded_guid}?filename=sample.bin&mimetype=application/octet-stream&generate=5000000&seed=1",
        ords.admin
    );
    writeln!(text, "  curl -X PUT {}", quoted(&url))?;
    writeln!(text, "Send it:")?;
    let body = serde_json::json!({ "objGuid": guid, "email": email, "filePath": "From curl" });
    writeln!(
        text,
        "  curl -u {login} -H 'Content-Type: application/json' -d {} {}",
        quoted(&body.to_string()),
        quoted(&format!("{api}/document/upload"))
    )?;
    writeln!(text, "Get its status (with the transferId of the response):")?;
    writeln!(text, "  curl -u {login} {}", quoted(&format!("{api}/document/status/TRANSFER_ID")))?;
    writeln!(text, "Get a token (for calls that accept one):")?;
    writeln!(
        text,
        "  curl -u {} -d grant_type=client_credentials {}",
        quoted(&format!("{}:{}", oidc.client_id, oidc.client_secret)),
        quoted(&oidc.token_url)
    )?;
    writeln!(text, "List the delivered files and the source documents:")?;
    writeln!(text, "  curl {}", quoted(&format!("{}/files", graph.admin)))?;
    writeln!(text, "  curl {}", quoted(&format!("{}/documents", ords.admin)))?;
    writeln!(text, "Send it with the command line:")?;
    writeln!(
        text,
        "  export DOCFERRY_API={} DOCFERRY_USERNAME={} DOCFERRY_PASSWORD={}",
        quoted(api),
        quoted(&scv.username),
        quoted(&scv.password)
    )?;
    write!(
        text,
        "  cargo run -q -p docferry-cli -- send {} --email {} --path 'From the CLI' --watch",
        quoted(guid),
        quoted(email)
    )?;
    Ok(text)
}

/// Quotes a text for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_quotes_are_escaped_for_the_shell() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
