// ReadSettings: what the config says for keys that code has declared, and what is wrong with it.
#ifndef GROVE_SERVER_READ_SETTINGS_H_
#define GROVE_SERVER_READ_SETTINGS_H_

#include <string>

#include "google/protobuf/repeated_field.h"
#include "grove/config/v1/config.pb.h"
#include "server/config/problems.h"
#include "server/settings.h"

namespace grove {

using GivenSettings = google::protobuf::RepeatedPtrField<config::v1::Setting>;

// Holds `given`, which stands at the key `where`, against the schema and marks what is secret.
// Tells `problems` of unknown keys, of values that do not fit, of what is required and missing, and
// of what the schema's checks refuse.
Settings ReadSettings(const SettingsSchema& schema, const std::string& where, GivenSettings* given,
                      config::Problems* problems);

// Of what ReadSettings() has found nothing wrong with.
Settings SettingsOf(const SettingsSchema& schema, const GivenSettings& given);

}  // namespace grove

#endif  // GROVE_SERVER_READ_SETTINGS_H_
