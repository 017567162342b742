//! All that is shipped keeps the contract, over IPv4 and IPv6.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use swim_transport::{Faulty, MemoryNetwork, UdpTcp, conformance};

fn v4() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn v6() -> SocketAddr {
    "[::1]:0".parse().unwrap()
}

#[tokio::test]
async fn udp_tcp_conforms_over_ipv4() {
    conformance::check_all(v4(), UdpTcp::bind).await;
}

#[tokio::test]
async fn udp_tcp_conforms_over_ipv6() {
    conformance::check_all(v6(), UdpTcp::bind).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_tcp_conforms_on_several_threads() {
    conformance::check_all(v4(), UdpTcp::bind).await;
}

#[tokio::test]
async fn faulty_udp_tcp_conforms_over_ipv4() {
    let bind = async |address| UdpTcp::bind(address).await.map(|inner| Faulty::new(inner, 1));
    conformance::check_all(v4(), bind).await;
}

#[tokio::test]
async fn faulty_udp_tcp_conforms_over_ipv6() {
    let bind = async |address| UdpTcp::bind(address).await.map(|inner| Faulty::new(inner, 1));
    conformance::check_all(v6(), bind).await;
}

#[tokio::test(start_paused = true)]
async fn a_memory_network_conforms_over_ipv4() {
    let network = MemoryNetwork::new(1);
    conformance::check_all(v4(), async |address| network.bind(address)).await;
}

#[tokio::test(start_paused = true)]
async fn a_memory_network_conforms_over_ipv6() {
    let network = MemoryNetwork::new(1);
    conformance::check_all(v6(), async |address| network.bind(address)).await;
}

#[tokio::test]
async fn a_memory_network_conforms_in_real_time_and_at_addresses_of_its_own() {
    let network = MemoryNetwork::new(1);
    for address in ["0.0.0.0:0", "[::]:0"] {
        let address = address.parse().unwrap();
        conformance::check_all(address, async |address| network.bind(address)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_faulty_memory_network_conforms() {
    let network = MemoryNetwork::new(1);
    for address in [v4(), v6()] {
        let bind = async |address| network.bind(address).map(|inner| Faulty::new(inner, 1));
        conformance::check_all(address, bind).await;
    }
}
