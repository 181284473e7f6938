// MakeMiddleware: an entry of a `middleware:` list of the config as what it stands for.
#ifndef GROVE_SERVER_WORKER_MIDDLEWARE_CHAIN_H_
#define GROVE_SERVER_WORKER_MIDDLEWARE_CHAIN_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "server/http/handler/middleware.h"
#include "server/http/handler/tenant_gate.h"
#include "server/http/handler/tenant_labels.h"

namespace grove::worker {

// kInvalidArgument, with the key, which starts with `where`. Reads the files that it names.
// Requires: `config` is resolved, and `entry` a part of it; `labels` and `gate`, which may be null,
// outlive what is made.
absl::StatusOr<http::Middleware> MakeMiddleware(const std::string& where,
                                                const config::v1::Middleware& entry,
                                                const config::v1::Config& config,
                                                http::TenantLabels& labels, http::TenantGate* gate);

// Of ServerOptions: what the proxies that any real_client of `http` trusts say. Empty if there is
// none. Requires: MakeMiddleware() took all of them.
std::function<std::string(const http::Request&)> ForwardedSchemeOf(const config::v1::Http& http);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_MIDDLEWARE_CHAIN_H_
