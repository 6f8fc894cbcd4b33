//! Tests that the webhook client does not connect to private addresses, neither by IP address nor
//! by a host name that resolves to one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use docferry_app::ports::{ReceiverError, WebhookReceiver as _};
use docferry_domain::callback::CallbackRule;
use docferry_webhook::{Guard, HttpWebhookReceiver, ReceiverSettings};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::support::{FixedSecrets, notification_to, now, start_server_with_response};

/// Resolver that returns these addresses for every name.
struct FixedResolver(Vec<SocketAddr>);

impl Resolve for FixedResolver {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses = self.0.clone();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

/// Returns a resolver that returns these IP addresses for every name.
fn resolving_to(addresses: &[&str]) -> Arc<FixedResolver> {
    let parse = |text: &&str| SocketAddr::new(text.parse::<IpAddr>().unwrap(), 0);
    Arc::new(FixedResolver(addresses.iter().map(parse).collect()))
}

#[tokio::test]
async fn host_name_of_a_private_address_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for addresses in [
        &["127.0.0.1"][..],
        &["10.0.0.1", "169.254.169.254"],
        &["::1", "fd00:ec2::254"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &[],
    ] {
        let settings = ReceiverSettings::new(CallbackRule::Public);
        let secrets = FixedSecrets { previous: None };
        let receiver =
            HttpWebhookReceiver::with_resolver(settings, secrets, resolving_to(addresses)).unwrap();
        let url = format!("https://hooks.docferry.example:{port}/");

        let result = receiver.deliver(&notification_to(&url, CallbackRule::Public), now()).await;

        assert_eq!(result, Err(ReceiverError::Forbidden), "{addresses:?}");
    }

    let connection = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(connection.is_err());
}

#[tokio::test]
async fn resolver_returns_only_allowed_addresses() {
    let found = resolving_to(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700:4700::1111", "127.0.0.1"]);
    let allowed_by = async |rule| {
        let name = "hooks.docferry.example".parse().unwrap();
        let allowed = Guard::new(rule, found.clone()).resolve(name).await.unwrap();
        allowed.map(|address| address.ip().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(allowed_by(CallbackRule::Public).await, ["8.8.8.8", "2606:4700:4700::1111"]);
    assert_eq!(
        allowed_by(CallbackRule::PublicAndLoopback).await,
        ["8.8.8.8", "::1", "2606:4700:4700::1111", "127.0.0.1"]
    );
}

/// The rule may have changed since the job was created. An address in the URL that was allowed then
/// is therefore checked again at delivery.
#[tokio::test]
async fn address_in_the_url_is_checked_at_delivery() {
    let server = start_server_with_response(ResponseTemplate::new(200)).await;
    let settings = ReceiverSettings::new(CallbackRule::Public);
    let receiver = HttpWebhookReceiver::new(settings, FixedSecrets { previous: None }).unwrap();
    let notification = notification_to(&server.uri(), CallbackRule::PublicAndLoopback);
    assert_eq!(receiver.deliver(&notification, now()).await, Err(ReceiverError::Forbidden));
    assert!(server.received_requests().await.unwrap().is_empty());
}
