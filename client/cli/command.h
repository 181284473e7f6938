// Command: what a verb gets to work with, and how it hands out its result.

#ifndef GROVE_CLIENT_CLI_COMMAND_H_
#define GROVE_CLIENT_CLI_COMMAND_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/arguments.h"
#include "client/cli/table.h"
#include "client/client.h"
#include "google/protobuf/message.h"

namespace grove::client::cli {

using Environment = std::function<std::optional<std::string>(const char*)>;

// The process's surroundings; tests bring their own.
struct Shell {
  // Descriptor that "-" and the backdoor read.
  int in_fd = 0;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  // Where progress may be drawn.
  bool err_is_terminal = false;
  // Columns of the terminal that `out` is, where it knows them.
  std::optional<size_t> columns = std::nullopt;
  Environment environment;
};

// kWide: a table with all its columns, uncut. kName: resource names alone. kJsonl: a line of JSON
// for each item.
enum class OutputFormat { kTable, kWide, kName, kJson, kJsonl, kYaml };

struct Verb;

struct Command {
  Shell& shell;
  const Verb& verb;
  Arguments arguments;
  OutputFormat format = OutputFormat::kTable;
  // Whether `shell.out` and `shell.err` take colors.
  bool colors = false;
  bool err_colors = false;
  std::string address = {};
  // Null for a verb that needs no daemon.
  Client* client = nullptr;
  // How long --timeout lets a wait take: for ever if it is not given.
  absl::Duration wait_timeout = absl::InfiniteDuration();

  // Whether calls come with a token or a certificate, which may be a tenant's.
  bool has_identity = false;

  // For a request: that of --tenant; empty: the caller's own, or `default` where that is the
  // operators.
  absl::StatusOr<std::string> Parent() const;
  // Of short names: the same by its short name. The daemon is asked for it once, if it may know.
  std::string Tenant() const;
  bool ForPeople() const { return format == OutputFormat::kTable || format == OutputFormat::kWide; }
  Look ToLook() const;

  // Of Tenant(), once it was asked for.
  mutable std::optional<std::string> own_tenant = std::nullopt;
};

// The short name of the tenant that the client's calls are of; "default" where they are the
// operators', or the daemon does not say.
std::string OwnTenant(Client& client);

// Writes one object in the format asked for, or, for people, what `table` renders. What has no name
// is a table as a name, too.
void Print(Command& command, const nlohmann::ordered_json& json,
           const std::function<std::string()>& table);

// Writes the items that `json` has below `key`.
void PrintList(Command& command, const nlohmann::ordered_json& json, const char* key,
               const std::function<std::string()>& table);

// The same for a message of the API, which becomes JSON only where that is shown.
void Print(Command& command, const google::protobuf::Message& message,
           const std::function<std::string()>& table);
void PrintList(Command& command, const google::protobuf::Message& message, const char* key,
               const std::function<std::string()>& table);

// "grovectl" with the flags that lead to the same daemon, for a line that says what to run next.
std::string SelfText(const Command& command);

// A flag's value as a whole number within [min, max]; `fallback` where the flag is not given.
absl::StatusOr<int64_t> IntegerFlag(const Command& command, const std::string& flag,
                                    int64_t fallback, int64_t min, int64_t max);
absl::StatusOr<int64_t> ParseInteger(const std::string& what, const std::string& text, int64_t min,
                                     int64_t max);

// "5s", "1m30s" or a plain number of seconds.
absl::StatusOr<absl::Duration> ParseSeconds(const std::string& what, const std::string& text);

// All of a descriptor; RESOURCE_EXHAUSTED beyond `bytes_max`.
absl::StatusOr<std::string> ReadAll(int fd, size_t bytes_max);
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t bytes_max);

// One line each: what every verb does stands in *_verbs.cc.
absl::Status RunSpawn(Command& command);
absl::Status RunTasks(Command& command);
absl::Status RunTasksWatch(Command& command);
absl::Status RunTasksCount(Command& command);
absl::Status RunTasksExplain(Command& command);
absl::Status RunTasksCancel(Command& command);
absl::Status RunTasksForceCancel(Command& command);
absl::Status RunTasksPause(Command& command);
absl::Status RunTasksResume(Command& command);
absl::Status RunTasksRetry(Command& command);
absl::Status RunTasksDelete(Command& command);
absl::Status RunTasksUpdate(Command& command);
absl::Status RunGet(Command& command);
absl::Status RunWait(Command& command);
absl::Status RunCancel(Command& command);
absl::Status RunQueues(Command& command);
absl::Status RunQueuesPause(Command& command);
absl::Status RunQueuesResume(Command& command);
absl::Status RunQueuesPurge(Command& command);
absl::Status RunPools(Command& command);
absl::Status RunPoolsResize(Command& command);
absl::Status RunFairness(Command& command);
absl::Status RunTenantsTop(Command& command);
absl::Status RunWorkers(Command& command);
absl::Status RunFibers(Command& command);
absl::Status RunFunctions(Command& command);
absl::Status RunInject(Command& command);
absl::Status RunBench(Command& command);
absl::Status RunBackdoor(Command& command);
absl::Status RunScale(Command& command);
absl::Status RunRestart(Command& command);
absl::Status RunDrain(Command& command);
absl::Status RunReload(Command& command);
absl::Status RunUpgrade(Command& command);
absl::Status RunLogLevel(Command& command);
absl::Status RunOperations(Command& command);
absl::Status RunOperation(Command& command);
absl::Status RunConfig(Command& command);
absl::Status RunContextList(Command& command);
absl::Status RunContextUse(Command& command);
absl::Status RunContextShow(Command& command);
absl::Status RunContextSet(Command& command);
absl::Status RunContextDelete(Command& command);
absl::Status RunVersion(Command& command);
absl::Status RunHelp(Command& command);
absl::Status RunCompletion(Command& command);
absl::Status RunComplete(Command& command);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_COMMAND_H_
