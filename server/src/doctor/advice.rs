//! What it is: what is to be changed, by the names that the settings have where they are.
//! What it is not: the findings.
//! Who calls it: everything in `doctor`.

pub(super) const START: &str = "start the server, see that it listens on this address (server.listen), and that no \
     firewall or security group is between";

pub(super) const NAME: &str = "the host's name has no address: see to its DNS record";

pub(super) const PLAIN: &str = "no TLS is spoken there: ask for http://, or give the server server.tls_cert and \
     server.tls_key, nginx `listen 443 ssl;`, an ALB a listener of protocol HTTPS";

pub(super) const CHAIN: &str = "the certificate is of nobody who is trusted here: send the whole chain (nginx \
     `ssl_certificate` and server.tls_cert: fullchain.pem), or name your own authority's by SSL_CERT_FILE";

pub(super) const EXPIRED: &str = "renew the certificate, and have it read again (nginx `nginx -s reload`; this server \
     does by itself); Caddy and an ALB with ACM renew by themselves";

pub(super) const OTHER_NAME: &str = "get a certificate for this name (nginx `server_name` chooses which one is sent, \
     Caddy the site's address, an ALB the certificates of its listener)";

pub(super) const UNCHECKED: &str = "leave out --insecure, which clients do not have";

pub(super) const PATH: &str = "the server's path is another one (--path; server.path), or the proxy has no place for \
     it: nginx `location /socket.io/ { proxy_pass http://127.0.0.1:8000; }`, Caddy `reverse_proxy /socket.io/* \
     127.0.0.1:8000`, ALB a rule for the path /socket.io/*";

pub(super) const ADMIN: &str = "this is the admin listener, for operators and applications: ask where clients connect \
     (server.listen)";

pub(super) const GATEWAY: &str = "the proxy does not reach the server: nginx `proxy_pass`, Caddy `reverse_proxy`, ALB \
     the health check of the target group (/readyz of the admin listener), or the server takes nobody any more \
     (limits.max_connections)";

pub(super) const MOVED: &str = "ask for that URL, here and in clients: they follow no redirect of a WebSocket";

pub(super) const FORBIDDEN: &str = "let requests pass to this path without a log-in of the proxy's (nginx `auth_basic \
     off;`, Caddy `basic_auth`, ALB the action `authenticate-oidc`), or see whom the server's allowRequest refuses";

pub(super) const OLDER: &str =
    "the server speaks an older protocol: use clients 2.x, or a server of Socket.IO 3 or later";

pub(super) const WITHOUT_POLLING: &str = "clients need `transports: [\"websocket\"]`, or the server \
     engine.transports = [\"polling\", \"websocket\"]";

pub(super) const CACHED: &str = "nobody may keep these answers: nginx `proxy_cache off;`, in a CDN no caching of \
     /socket.io/*";

pub(super) const STICKY: &str = "send all requests of a client to the same server: nginx `hash $remote_addr consistent;` \
     or `ip_hash;` in the upstream, Caddy `lb_policy cookie`, ALB the target group's stickiness.enabled = true, \
     ingress-nginx `nginx.ingress.kubernetes.io/affinity: cookie`; or have clients use `transports: [\"websocket\"]`; \
     of several processes (gunicorn -w, cluster) each counts as a server";

pub(super) const ONE_AT_A_TIME: &str = "the server, or a proxy, does one request at a time: gunicorn --threads 100 or \
     another worker class, nginx `limit_conn` higher, or let this server have the connections";

pub(super) const BUFFER: &str = "something between keeps what it should pass on: nginx `proxy_buffering off;`, Caddy \
     `flush_interval -1`; an ALB does not, but a CDN, a virus scanner or `gzip` in between may";

pub(super) const UPGRADE: &str = "pass the upgrade on: nginx `proxy_http_version 1.1; proxy_set_header Upgrade \
     $http_upgrade; proxy_set_header Connection $connection_upgrade;`, Caddy does by itself unless a `header_up` takes \
     it out, ALB does with a target group of protocol version HTTP1, Apache `ProxyPass ... upgrade=websocket`, \
     Cloudflare Network > WebSockets";

pub(super) const WITHOUT_WEBSOCKET: &str = "clients stay with polling, which costs more: \
     engine.transports = [\"polling\", \"websocket\"]";

pub(super) const IDLE: &str = "let quiet connections live for longer than engine.ping_interval and engine.ping_timeout \
     together: nginx `proxy_read_timeout 90s; proxy_send_timeout 90s;`, Caddy `transport http { read_timeout 90s }`, \
     ALB the attribute idle_timeout.timeout_seconds = 90, HAProxy `timeout client`, `timeout server` and `timeout \
     tunnel`; or lower engine.ping_interval";

pub(super) const HOST: &str = "the proxy names another host to the server than the page has: nginx `proxy_set_header Host \
     $http_host;`, Caddy keeps it unless `header_up Host` is there, ALB routing.http.preserve_host_header.enabled = \
     true; or X-Forwarded-Host with server.trusted_proxies, or cors.origins";

pub(super) fn cors(origin: &str) -> String {
    format!(
        "let that origin in: cors.origins = [\"{origin}\"], in Node `cors: {{ origin: [\"{origin}\"] }}`, in Python \
         `cors_allowed_origins=[\"{origin}\"]`; and see that the proxy takes no header out (nginx `proxy_hide_header`)"
    )
}

pub(super) const CORS_TWICE: &str = "only the server is to add it: take out nginx `add_header Access-Control-Allow-Origin`, \
     Caddy `header Access-Control-Allow-Origin`";

pub(super) const PREFLIGHT: &str = "let OPTIONS pass to the server: nginx without `limit_except` and without an `if \
     ($request_method = OPTIONS)`, an ALB without an authenticating action on this path";

pub(super) const CLOCK: &str = "set the clock right (NTP), there or here: tokens count as expired, or as not valid yet";

pub(super) const LOG: &str = "see what the log of the server says, and that of the proxy";

pub(super) const NAMESPACE: &str = "the server has no such namespace, or its application does not know it: name another \
     one by --namespace, or have this one there ([[namespace]])";

pub(super) const LOG_IN: &str = "nothing, if it wants a log-in; else name another one by --namespace";
