// Endpoints: the sockets that the supervisor binds once and every worker inherits.
//
// They outlive workers, so a restart refuses no connection, and loses none that waits: also where
// each worker has a socket of its own (reuse_port), which its successor takes over. What a slot has
// for itself is bound when it is first used, and closed when no worker is to have it any more.
#ifndef GROVE_SERVER_SUPERVISOR_ENDPOINTS_H_
#define GROVE_SERVER_SUPERVISOR_ENDPOINTS_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/config/v1/config.pb.h"
#include "grove/internal/v1/handover.pb.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket_address.h"
#include "server/process/inheritance.h"
#include "server/socket_name.h"
#include "server/supervisor/inherited_sockets.h"

namespace grove::supervisor {

// A connection whose client says nothing for so long is given to a worker all the same: a second is
// the least that the kernel knows.
inline constexpr absl::Duration kSilenceMax = absl::Seconds(1);

class Endpoints {
 public:
  // `http` resolved. Listeners take their sockets out of `inherited`, the others are bound, and
  // slots below `workers`. An error names the address and says what would help; kInvalidArgument:
  // the inherited sockets and the config don't go together.
  static absl::StatusOr<Endpoints> Bind(const config::v1::Http& http, const std::string& run_dir,
                                        int workers, InheritedSockets inherited = {});
  // Takes over what an earlier program of this process had, or an earlier config, as far as `http`
  // still has it, and binds the rest. A listener is the same if address and reuse_port are, and
  // where the kernel chooses the port, the name; its backlog and mode may be others. The record's
  // descriptors stay open, and an error leaves its sockets as they are.
  static absl::StatusOr<Endpoints> Adopt(const config::v1::Http& http, const std::string& run_dir,
                                         const internal::v1::SupervisorHandover& handover);
  Endpoints(Endpoints&& other) noexcept
      : config_(std::move(other.config_)),
        run_dir_(std::move(other.run_dir_)),
        http_(std::exchange(other.http_, {})),
        slots_(std::move(other.slots_)) {}
  Endpoints& operator=(Endpoints&& other) noexcept;
  ~Endpoints();

  // Binds what `worker` has for itself, as far as it does not have it yet.
  absl::Status BindSlot(int worker);
  // Closes it, and removes its names. Requires: its process has ended.
  void ReleaseSlot(int worker);
  // Of a worker that is to end without a successor, before it hears of that: what comes later
  // comes to others.
  void CloseOwnHttp(int worker);

  // Of HTTP's listeners, in the config's order: those that all workers share, and the own ones of
  // `worker`.
  std::vector<process::HttpSocket> http_sockets(int worker) const;
  // With everybody's own ones.
  std::vector<process::HttpSocket> all_http_sockets() const;
  // The same, with the ports that the kernel chose, if that was asked for.
  std::vector<std::string> http_addresses() const;
  int link_fd(int worker) const { return slots_[worker].link.fd; }
  int backdoor_fd(int worker) const { return slots_[worker].backdoor.fd; }
  // Of the UNIX sockets bound here that stand now: to be unlinked at the end.
  std::vector<std::string> paths() const;

  // Binds anew the UNIX sockets whose paths somebody removed: a socket can't be reached any more
  // once its name is gone. The workers that have the old ones, by slot.
  absl::StatusOr<std::vector<int>> Restore();

  // While the daemon drains: new connections are refused once the workers have let go of it too,
  // where they would otherwise hang in a backlog that nobody serves.
  void CloseHttp();
  // In worker `worker`: closes what is the others'.
  void KeepOnly(int worker);
  // In the stand-in, which has no private sockets.
  void KeepForStandIn() { KeepPrivate(-1); }
  // For the program that this process goes on as, or another config.
  void Describe(internal::v1::SupervisorHandover& handover) const;
  // Removes the names of HTTP's UNIX sockets that `kept` does not have.
  void RemoveNamesBut(const internal::v1::SupervisorHandover& kept) const;

 private:
  struct Private {
    int fd = -1;
    SocketName name;
  };
  struct Slot {
    Private link;
    Private backdoor;
  };
  struct Http {
    std::vector<int> fds;  // one, or one for each worker, -1 where it has none
    bool own = false;      // one for each worker (reuse_port)
    std::string address;
    int listener = 0;  // its index in the config
    SocketName name;
  };
  Endpoints() = default;
  static ListenOptions OptionsOf(const config::v1::HttpListener& listener);
  static absl::Duration SilenceOf(const config::v1::HttpListener& listener) {
    return listener.accept_silent() ? absl::ZeroDuration() : kSilenceMax;
  }
  static bool IsHanded(const SocketName& name, const internal::v1::SupervisorHandover& handover);
  absl::Status AdoptAll(const internal::v1::SupervisorHandover& handover);
  // What may be changed of sockets that are taken over.
  absl::Status SetUpAdopted(const internal::v1::SupervisorHandover& handover);
  // False: none of `handed` is the listener's.
  absl::StatusOr<bool> AdoptHttp(
      int index, google::protobuf::RepeatedPtrField<internal::v1::HandedHttpSockets>& handed);
  absl::Status AddHttp(const config::v1::Http& http, int index, int workers,
                       InheritedSockets& inherited);
  // Binds what `listener` wants at `wanted`, into the last of `http_`.
  absl::Status BindHttp(const config::v1::HttpListener& listener, const SocketAddress& wanted,
                        int workers);
  absl::Status BindOwnHttp(Http& http, int worker);
  static absl::StatusOr<Private> BindPrivate(std::string path);
  // What has lost its name; whether that was so.
  static absl::StatusOr<bool> Rebind(Private& socket);
  absl::StatusOr<bool> RebindHttp(Http& http);
  void KeepPrivate(int worker);

  config::v1::Http config_;
  std::string run_dir_;
  std::vector<Http> http_;
  std::vector<Slot> slots_;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_ENDPOINTS_H_
