// Listeners of every kind, with every setting, as somebody would write them.

export const everyListener = `
listeners = [
  "127.0.0.1:1883",
  { host = "*", port = 8883, anonymous = false, identity = "cn", connectionsMax = 10, tls = {
    certificate = "s.pem", key = "s.key", minVersion = "1.3", ciphers = "TLS_AES_128_GCM_SHA256",
    alpn = false, clientCertificate = "required", ca = "ca.pem", crl = "crl.pem",
    alternatives = [{ certificate = "t.pem", key = "t.key" }] } },
  { protocol = "websocket", websocket = { path = "/mqtt", origins = ["https://a.example"] } },
  { protocol = "websocket", tls = { certificate = "s.pem", key = "s.key" } },
  { unix = "/run/minnow.sock", mode = "0600", owner = "minnow:mqtt", identity = "account" },
  { port = 1884, proxyProtocol = { from = ["127.0.0.1", "10.0.0.0/8"] }, mountPoint = "in/" },
  { systemd = "mqtt", anonymous = true },
]
`;
