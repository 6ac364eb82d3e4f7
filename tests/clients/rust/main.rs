// SPDX-License-Identifier: Apache-2.0

//! Gets a URL with reqwest and rustls and prints the status: get native|webpki URL. The first takes the roots that
//! rustls-native-certs finds, the second those that were compiled in.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let native = arguments[1] == "native";
    let client = reqwest::blocking::Client::builder()
        .use_rustls_tls()
        .tls_built_in_native_certs(native)
        .tls_built_in_webpki_certs(!native)
        .build()?;
    println!("{}", client.get(&arguments[2]).send()?.status().as_u16());
    Ok(())
}
