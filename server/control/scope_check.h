// ScopeCheck: keeps a tenant's call to what is the tenant's own.
//
// For a tenant, what is another's does not exist: a name of it is answered as one that never was,
// by status, message and details. What a field that is left empty, or "tenants/-", stands for is
// the caller's own tenant. Which fields name what stands in the table of methods; what the
// operators ask for stays as it is. Constant after construction; any thread.
#ifndef GROVE_SERVER_CONTROL_SCOPE_CHECK_H_
#define GROVE_SERVER_CONTROL_SCOPE_CHECK_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "server/control/method_table.h"
#include "server/tenancy/principal.h"

namespace grove::control {

class ScopeCheck {
 public:
  // Looks the fields of all rules up in the descriptors that the program has.
  ScopeCheck();

  // NOT_FOUND: the request names what is not the caller's. Fills in what it left out.
  absl::Status Apply(const MethodRow& method, const tenancy::Principal& caller,
                     google::protobuf::Message& request) const;

 private:
  // The fields on the way to the text, from the request on.
  using Path = std::vector<const google::protobuf::FieldDescriptor*>;
  struct Check {
    const FieldRule* rule;
    Path path;
  };

  static absl::Status Walk(const Check& check, size_t depth, const tenancy::Principal& caller,
                           google::protobuf::Message& message);

  // Methods whose rules do not fit their request have none, and are closed to tenants.
  absl::flat_hash_map<const MethodRow*, std::vector<Check>> checks_;
};

// For methods that answer each message of a stream: as Apply() for one text of it.
absl::Status CheckText(const FieldRule& rule, const tenancy::Principal& caller, std::string& text);

// For methods that answer each item of a request: as Apply() for the text of one.
absl::Status CheckName(const FieldRule& rule, const tenancy::Principal& caller,
                       std::string_view name);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SCOPE_CHECK_H_
