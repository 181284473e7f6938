#include "server/daemon_config.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/tls/server_context.h"
#include "server/config/load.h"
#include "server/config/near_match.h"
#include "server/config/problems.h"
#include "server/config/resolve.h"
#include "server/process/tls_files.h"
#include "server/read_settings.h"
#include "server/tenancy/directory.h"
#include "server/worker/access_log_config.h"
#include "server/worker/ingresses.h"
#include "server/worker/routes.h"

namespace grove {
namespace {

using config::Problems;

// `path` stands relative to the file that says it, wherever the daemon was started.
std::string Anchored(const std::string& path, const std::string& key, const Problems& problems) {
  const config::Place place = problems.sources().Nearest(key);
  if (place.file < 0) return path;
  std::error_code error;
  const std::string& file = problems.sources().files()[place.file];
  const std::filesystem::path base = std::filesystem::absolute(file, error).parent_path();
  return (base / path).lexically_normal().string();
}

void AnchorFolders(const Problems& problems, config::v1::Http& http) {
  for (int i = 0; i < http.routes_size(); ++i) {
    config::v1::Route& route = *http.mutable_routes(i);
    if (route.folder().empty()) continue;
    const std::string key = absl::StrCat("http.routes[", i, "].folder");
    route.set_folder(Anchored(route.folder(), key, problems));
  }
  const std::string& log = http.access_log().file();
  if (log.empty() || log == "-") return;
  http.mutable_access_log()->set_file(Anchored(log, "http.access_log.file", problems));
}

void CheckFolder(const std::string& where, const config::v1::Route& route, bool wanted,
                 Problems& problems) {
  if (!wanted && route.folder().empty()) return;
  const std::string handler = absl::StrCat("the handler \"", route.function(), "\"");
  if (!wanted) return problems.Add(where, handler + " takes none");
  if (route.folder().empty()) return problems.Add(where, handler + " needs one");
  std::error_code error;
  if (std::filesystem::is_directory(route.folder(), error)) return;
  problems.Add(where, absl::StrCat("'", route.folder(), "' is no folder"));
}

// Whether the config's routes name handlers that the application has, and folders for those that
// serve one.
void CheckHandlers(const config::v1::Http& http, const Application& application,
                   Problems& problems) {
  std::vector<std::string> names;
  for (const auto& [name, factory] : application.handlers()) names.push_back(name);
  for (const auto& [name, factory] : application.folder_handlers()) names.push_back(name);
  for (const auto& [name, entry] : application.websockets()) names.push_back(name);
  for (int index = 0; index < http.routes_size(); ++index) {
    const config::v1::Route& route = http.routes(index);
    const std::string& name = route.function();
    const std::string where = absl::StrCat("http.routes[", index, "]");
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string near = config::NearMatch(name, names);
      problems.Add(
          where + ".function",
          absl::StrCat("the application has no handler \"", name, "\"",
                       near.empty() ? "" : absl::StrCat("; did you mean \"", near, "\"?")));
      continue;
    }
    CheckFolder(where + ".folder", route, application.folder_handlers().contains(name), problems);
    if (route.has_websocket() && !application.websockets().contains(name)) {
      problems.Add(where + ".websocket",
                   absl::StrCat("the handler \"", name, "\" is no WebSocket's"));
    }
  }
}

// What the application's code has declared, with what of it is secret marked.
void CheckDeclared(const Application& application, config::v1::Config& config, Problems& problems) {
  ReadSettings(application.settings(), "application", config.mutable_application(), &problems);
  std::vector<std::string> names;
  for (const auto& [name, entry] : application.middleware()) names.push_back(name);
  const auto check = [&](const std::string& key,
                         google::protobuf::RepeatedPtrField<config::v1::Middleware>& chain) {
    for (int i = 0; i < chain.size(); ++i) {
      if (!chain[i].has_own()) continue;
      config::v1::OwnMiddleware& own = *chain[i].mutable_own();
      const std::string where = absl::StrCat(key, "[", i, "].own");
      const auto found = application.middleware().find(own.name());
      if (found != application.middleware().end()) {
        ReadSettings(found->second.options, where + ".options", own.mutable_options(), &problems);
        continue;
      }
      const std::string near = config::NearMatch(own.name(), names);
      problems.Add(
          where + ".name",
          absl::StrCat("the application has no middleware \"", own.name(), "\"",
                       near.empty() ? "" : absl::StrCat("; did you mean \"", near, "\"?")));
    }
  };
  config::v1::Http& http = *config.mutable_http();
  check("http.middleware", *http.mutable_middleware());
  for (int i = 0; i < http.routes_size(); ++i) {
    check(absl::StrCat("http.routes[", i, "].middleware"),
          *http.mutable_routes(i)->mutable_middleware());
  }
}

// Whether workers will be able to make the file, as far as that can be told without making it.
void CheckAccessLog(const config::v1::AccessLog& log, Problems& problems) {
  problems.Add(worker::CheckAccessFormat(log));
  if (log.file().empty() || log.file() == "-") return;
  const std::filesystem::path path(log.file());
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return problems.Add("http.access_log.file", absl::StrCat("'", log.file(), "' is a folder"));
  }
  if (std::filesystem::is_directory(path.parent_path(), error)) return;
  problems.Add("http.access_log.file",
               absl::StrCat("'", path.parent_path().string(), "' is no folder"));
}

template <typename Tls>
TlsServerOptions OptionsOf(const Tls& tls) {
  TlsServerOptions options;
  options.certificates.push_back({.chain = tls.certificate_file(), .key = tls.key_file()});
  return options;
}

void CheckTls(const config::v1::Config& config, Problems& problems) {
  const auto check = [&](const std::string& section, TlsServerOptions options) {
    problems.Add(process::TlsFiles(section, std::move(options)).Read().status());
  };
  if (config.admin().has_tls()) check("admin", OptionsOf(config.admin().tls()));
  if (!config.control().has_tls()) return;
  TlsServerOptions options = OptionsOf(config.control().tls());
  options.client_ca_file = config.control().tls().client_ca_file();
  options.client_crl_file = config.control().tls().client_crl_file();
  if (!options.client_ca_file.empty()) options.client_certificate = TlsClientCertificate::kOptional;
  check("control", std::move(options));
}

// What each process makes of the config when it starts.
void CheckProcesses(const config::v1::Config& config, const Application& application,
                    Problems& problems) {
  const auto report = [&problems](const absl::Status& status) { problems.Add(status); };
  CheckHandlers(config.http(), application, problems);
  worker::CheckRoutes(config, application, report);
  CheckAccessLog(config.http().access_log(), problems);
  worker::Ingresses::Check(config.http(), report);
  CheckTls(config, problems);
  // It says at most how many there may be, if names and references are right.
  if (problems.empty()) problems.Add(tenancy::Directory::Create(config).status());
}

}  // namespace

absl::StatusOr<DaemonConfig> LoadDaemonConfig(const config::DaemonFlags& flags,
                                              const Application& application) {
  if (absl::Status status = application.Check(); !status.ok()) return status;
  Problems problems;
  config::v1::Config file;
  if (!flags.config.empty()) {
    file = config::LoadConfigFile(flags.config, &problems);
    AnchorFolders(problems, *file.mutable_http());
  }
  DaemonConfig daemon;
  daemon.config = config::Resolve(flags, file, config::Environment::OfThisProcess(), &problems);
  CheckDeclared(application, daemon.config, problems);
  CheckProcesses(daemon.config, application, problems);
  if (!problems.empty()) return problems.ToStatus();
  daemon.references = problems.sources().References();
  for (const std::string& key : config::KeysOfFlags(flags)) daemon.references.erase(key);
  daemon.files = problems.sources().files();
  daemon.warnings = problems.Warnings();
  return daemon;
}

}  // namespace grove
