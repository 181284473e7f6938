// Takeover: how this process came to be what it is: started, or gone on as from another program.
//
// Decides nothing and owns no descriptor; main() asks it, since what a program that cannot begin
// has to do is another thing each time.
#ifndef GROVE_SERVER_SUPERVISOR_TAKEOVER_H_
#define GROVE_SERVER_SUPERVISOR_TAKEOVER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "grove/internal/v1/handover.pb.h"

namespace grove::supervisor {

struct Takeover {
  enum class Kind {
    kStart,     // there is no daemon yet
    kTrial,     // of an upgrade: checks, says so and ends
    kUpgrade,   // this process was another program until now
    kWentBack,  // as kUpgrade, and that program had been this one before: it did not do
  };

  bool follows() const { return kind == Kind::kUpgrade || kind == Kind::kWentBack; }

  Kind kind = Kind::kStart;
  internal::v1::SupervisorHandover record;  // of all but kStart
};

// Takes what announces it out of the command line or the environment. An error: there is something,
// and it cannot be read.
absl::StatusOr<Takeover> ReadTakeover(int& argc, char** argv);

// Whether a program with this config and grove-control could go on from there.
absl::Status CheckTakeover(const internal::v1::SupervisorHandover& record,
                           const config::v1::Config& config, const std::string& control_binary);

// This process becomes the program that it was before. Returns the exit code if even that cannot
// be: then there is nobody left. `record` is what it left, and all that it names is still open.
int GoBack(internal::v1::SupervisorHandover record, const absl::Status& why);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_TAKEOVER_H_
