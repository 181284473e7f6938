// HttpListeners: what http.listen and http.listeners say about where HTTP is served, and how.
//
// http.listen is the short form of one plain listener. Where both are set, both are served.

#ifndef GROVE_SERVER_CONFIG_HTTP_LISTENERS_H_
#define GROVE_SERVER_CONFIG_HTTP_LISTENERS_H_

#include <optional>
#include <string>
#include <string_view>

#include "grove/config/v1/config.pb.h"
#include "runtime/io/socket_address.h"
#include "server/config/problems.h"

namespace grove::config {

// The name of http.listen's own among the listeners, and of its socket in LISTEN_FDNAMES.
inline constexpr char kHttpListenName[] = "http";

// Everything about http.listeners but that the addresses parse, which is required: who may reach
// them, names, TLS's and proxies' settings, files.
void CheckHttpListeners(const config::v1::Http& http, Problems* problems);

// Puts http.listen's listener, if there is one, in front of the others.
void GatherHttpListeners(config::v1::Http* http);
// Takes it out again, so that what Resolve() returns may be resolved anew.
void UngatherHttpListeners(config::v1::Http* http);

// The key of a gathered listener: "http.listen", "http.listeners[0]".
std::string HttpListenerKey(const config::v1::Http& http, int index);

// Whether a listener may serve at `address`: it has TLS, is only for this machine, or the config
// accepts it to be insecure.
bool MayServeAt(const config::v1::Http& http, const config::v1::HttpListener& listener,
                const SocketAddress& address);

// "0660" as permission bits; nothing if it is malformed or goes beyond 0777.
std::optional<unsigned> ParseUnixMode(std::string_view text);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_HTTP_LISTENERS_H_
