#include "server/config/load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/config/near_match.h"
#include "server/config/schema.h"
#include "yaml-cpp/yaml.h"

namespace grove::config {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::EnumDescriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

// Where a node stands in the file; lines and columns from 0, or -1 where yaml-cpp does not know.
struct Place {
  int line = -1;
  int column = -1;
};

Place PlaceOf(const YAML::Mark& mark) {
  return {mark.line, mark.column};
}

// An empty value has no mark of its own: its key's stands in.
Place PlaceOf(const YAML::Node& node, const Place& otherwise) {
  const YAML::Mark mark = node.Mark();
  return mark.is_null() || node.IsNull() ? otherwise : PlaceOf(mark);
}

// What the file says, cut so that an error stays one line.
std::string Quoted(const std::string& text) {
  constexpr size_t kShown = 60;
  const bool cut = text.size() > kShown;
  return StrCat("'", absl::CHexEscape(text.substr(0, kShown)), cut ? "…'" : "'");
}

std::string KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return Quoted(node.Scalar());
}

// "LIFO" of ORDER_LIFO.
std::string ShortName(const EnumDescriptor& type, int index) {
  const std::string& name = type.value(index)->name();
  return absl::AsciiStrToLower(name.substr(name.find('_') + 1));
}

std::vector<std::string> KeysOf(const Descriptor& type) {
  std::vector<std::string> keys;
  keys.reserve(type.field_count());
  for (int i = 0; i < type.field_count(); ++i) keys.push_back(type.field(i)->name());
  return keys;
}

// The field of a oneof that excludes `field`, if one is set.
const FieldDescriptor* SetOfSameOneof(const FieldDescriptor& field, const Message& message) {
  const google::protobuf::OneofDescriptor* oneof = field.containing_oneof();
  if (oneof == nullptr) return nullptr;
  return message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
}

bool IsQuoted(const YAML::Node& node) {
  return node.Tag() == "!";
}

// Carries a document onto a message, and counts what it has cost.
class Converter {
 public:
  explicit Converter(std::string_view origin) : origin_(origin) {}

  absl::Status Error(const Place& place, std::string_view what) const {
    if (place.line < 0) return absl::InvalidArgumentError(StrCat(origin_, ": ", what));
    return absl::InvalidArgumentError(
        StrCat(origin_, ":", place.line + 1, ":", place.column + 1, ": ", what));
  }

  // `path` is empty for the document, else "tenants[0].queues[1]".
  absl::Status Convert(const YAML::Node& node, const std::string& path, const Place& otherwise,
                       int depth, Message* out);

 private:
  absl::Status Charge(const YAML::Node& node, const Place& place, int depth);
  absl::Status UnknownKey(const std::string& key, const std::string& path, const Place& place,
                          const Descriptor& type) const;
  absl::Status WrongType(const YAML::Node& node, const std::string& path, const Place& place,
                         std::string_view expected) const;
  absl::Status SetField(const YAML::Node& node, const FieldDescriptor& field,
                        const std::string& path, const Place& key_place, int depth, Message* out);
  absl::Status SetValue(const YAML::Node& node, const FieldDescriptor& field,
                        const std::string& path, const Place& key_place, int depth, Message* out);
  absl::Status SetScalar(const YAML::Node& node, const FieldDescriptor& field,
                         const std::string& path, const Place& place, Message* out);
  absl::Status SetInteger(const YAML::Node& node, const FieldDescriptor& field,
                          const std::string& path, const Place& place, Message* out);
  absl::Status SetEnum(const YAML::Node& node, const FieldDescriptor& field,
                       const std::string& path, const Place& place, Message* out);
  absl::Status SetText(const YAML::Node& node, const FieldDescriptor& field,
                       const std::string& path, const Place& place, Message* out);

  const std::string origin_;
  size_t cost_bytes_ = 0;
};

absl::Status Converter::Charge(const YAML::Node& node, const Place& place, int depth) {
  if (depth > kConfigDepthMax) {
    return Error(place, StrCat("nested deeper than ", kConfigDepthMax, " levels"));
  }
  cost_bytes_ += 1 + (node.IsScalar() ? node.Scalar().size() : 0);
  if (cost_bytes_ > kConfigExpandedBytesMax) {
    return Error(place, StrCat("with its aliases expanded the file has more than ",
                               kConfigExpandedBytesMax, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status Converter::UnknownKey(const std::string& key, const std::string& path,
                                   const Place& place, const Descriptor& type) const {
  const std::vector<std::string> keys = KeysOf(type);
  const std::string full = path.empty() ? key : StrCat(path, ".", key);
  const std::string near = NearMatch(key, keys);
  const std::string hint = near.empty() ? StrCat("known here: ", absl::StrJoin(keys, ", "))
                                        : StrCat("did you mean '", near, "'?");
  return Error(place, StrCat("unknown key ", Quoted(full), "; ", hint));
}

absl::Status Converter::WrongType(const YAML::Node& node, const std::string& path,
                                  const Place& place, std::string_view expected) const {
  const std::string where = path.empty() ? "" : StrCat("'", path, "': ");
  return Error(place, StrCat(where, "expected ", expected, ", found ", KindOf(node)));
}

absl::Status Converter::Convert(const YAML::Node& node, const std::string& path,
                                const Place& otherwise, int depth, Message* out) {
  const Place place = PlaceOf(node, otherwise);
  if (absl::Status s = Charge(node, place, depth); !s.ok()) return s;
  if (node.IsNull()) return absl::OkStatus();
  if (!node.IsMap()) {
    return WrongType(node, path, place, path.empty() ? "a mapping of keys to values" : "a mapping");
  }
  const Descriptor& type = *out->GetDescriptor();
  std::map<const FieldDescriptor*, Place> seen;
  for (const auto& entry : node) {
    const Place key_place = PlaceOf(entry.first, place);
    if (!entry.first.IsScalar()) return WrongType(entry.first, path, key_place, "a key");
    const std::string& key = entry.first.Scalar();
    const FieldDescriptor* field = type.FindFieldByName(key);
    if (field == nullptr) return UnknownKey(key, path, key_place, type);
    const std::string full = path.empty() ? key : StrCat(path, ".", key);
    const auto [first, is_new] = seen.emplace(field, key_place);
    if (!is_new) {
      return Error(key_place,
                   StrCat("key '", full, "' stands twice, first in line ", first->second.line + 1));
    }
    if (const FieldDescriptor* other = SetOfSameOneof(*field, *out); other != nullptr) {
      return Error(key_place, StrCat("keys '", other->name(), "' and '", key, "' of '", path,
                                     "' exclude each other; make them two entries"));
    }
    if (absl::Status s = SetField(entry.second, *field, full, key_place, depth + 1, out); !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::Status Converter::SetField(const YAML::Node& node, const FieldDescriptor& field,
                                 const std::string& path, const Place& key_place, int depth,
                                 Message* out) {
  if (!field.is_repeated()) return SetValue(node, field, path, key_place, depth, out);
  const Place place = PlaceOf(node, key_place);
  if (absl::Status s = Charge(node, place, depth); !s.ok()) return s;
  if (node.IsNull()) return absl::OkStatus();
  if (!node.IsSequence()) return WrongType(node, path, place, "a list");
  int index = 0;
  for (const YAML::Node& element : node) {
    const std::string full = StrCat(path, "[", index++, "]");
    const Place element_place = PlaceOf(element, place);
    if (element.IsNull()) return Error(element_place, StrCat("'", full, "' is empty"));
    absl::Status s = SetValue(element, field, full, element_place, depth + 1, out);
    if (!s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Converter::SetValue(const YAML::Node& node, const FieldDescriptor& field,
                                 const std::string& path, const Place& key_place, int depth,
                                 Message* out) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    Message* nested = field.is_repeated() ? out->GetReflection()->AddMessage(out, &field)
                                          : out->GetReflection()->MutableMessage(out, &field);
    return Convert(node, path, key_place, depth, nested);
  }
  const Place place = PlaceOf(node, key_place);
  if (absl::Status s = Charge(node, place, depth); !s.ok()) return s;
  // `workers:` with nothing behind it means the default, as leaving the key out does.
  if (node.IsNull()) return absl::OkStatus();
  return SetScalar(node, field, path, place, out);
}

absl::Status Converter::SetScalar(const YAML::Node& node, const FieldDescriptor& field,
                                  const std::string& path, const Place& place, Message* out) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return SetInteger(node, field, path, place, out);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(node, field, path, place, out);
    case FieldDescriptor::CPPTYPE_STRING:
      return SetText(node, field, path, place, out);
    case FieldDescriptor::CPPTYPE_BOOL: {
      const std::string word = node.IsScalar() ? absl::AsciiStrToLower(node.Scalar()) : "";
      if (IsQuoted(node) || (word != "true" && word != "false")) {
        return WrongType(node, path, place, "true or false");
      }
      out->GetReflection()->SetBool(out, &field, word == "true");
      return absl::OkStatus();
    }
    default:
      return absl::InternalError(
          StrCat("field ", field.full_name(), " has a type that config files cannot hold"));
  }
}

absl::Status Converter::SetInteger(const YAML::Node& node, const FieldDescriptor& field,
                                   const std::string& path, const Place& place, Message* out) {
  const SchemaRow* row = FindSchemaRow(path);
  if (row == nullptr) return absl::InternalError(StrCat("no schema row for ", path));
  const std::string expected = StrCat("an integer from ", row->min, " to ", row->max);
  int64_t number = 0;
  const bool is_plain = node.IsScalar() && !IsQuoted(node) && !node.Scalar().empty() &&
                        node.Scalar().find_first_not_of("-0123456789") == std::string::npos;
  if (!is_plain || !SimpleAtoi(node.Scalar(), &number)) {
    return WrongType(node, path, place, expected);
  }
  // Zero means the default, as proto3 cannot tell it from absence.
  if (number != 0 && (number < row->min || number > row->max)) {
    return WrongType(node, path, place, expected);
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
    // The schema's test holds each range within its field.
    out->GetReflection()->SetInt32(out, &field, static_cast<int32_t>(number));
  } else {
    out->GetReflection()->SetInt64(out, &field, number);
  }
  return absl::OkStatus();
}

absl::Status Converter::SetEnum(const YAML::Node& node, const FieldDescriptor& field,
                                const std::string& path, const Place& place, Message* out) {
  const EnumDescriptor& type = *field.enum_type();
  const std::string word = node.IsScalar() ? absl::AsciiStrToLower(node.Scalar()) : "";
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() == 0) continue;
    names.push_back(ShortName(type, i));
    if (node.IsScalar() && names.back() == word) {
      out->GetReflection()->SetEnum(out, &field, type.value(i));
      return absl::OkStatus();
    }
  }
  return WrongType(node, path, place, StrCat("one of ", absl::StrJoin(names, ", ")));
}

absl::Status Converter::SetText(const YAML::Node& node, const FieldDescriptor& field,
                                const std::string& path, const Place& place, Message* out) {
  if (!node.IsScalar()) return WrongType(node, path, place, "a text");
  const std::string& text = node.Scalar();
  for (const char c : text) {
    if (absl::ascii_iscntrl(c)) {
      return WrongType(node, path, place, "a text without control characters");
    }
  }
  if (field.is_repeated()) {
    out->GetReflection()->AddString(out, &field, text);
  } else {
    out->GetReflection()->SetString(out, &field, text);
  }
  return absl::OkStatus();
}

absl::Status FileError(const std::string& path, int error) {
  return ErrnoStatus(error, StrCat("config file ", path));
}

}  // namespace

absl::StatusOr<config::v1::Config> ParseConfig(std::string_view text, std::string_view origin) {
  Converter converter(origin);
  if (text.size() > kConfigFileBytesMax) {
    return converter.Error({}, StrCat("a config file has at most ", kConfigFileBytesMax, " bytes"));
  }
  config::v1::Config config;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      return converter.Error(PlaceOf(documents[1], {}),
                             "a second document starts here; a config file has one");
    }
    if (documents.empty()) return config;
    if (absl::Status s = converter.Convert(documents[0], "", {0, 0}, 1, &config); !s.ok()) return s;
  } catch (const YAML::Exception& e) {
    return converter.Error(PlaceOf(e.mark), e.msg);
  }
  return config;
}

absl::StatusOr<config::v1::Config> LoadConfigFile(const std::string& path) {
  // O_NONBLOCK: a FIFO would hold the open.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(path, errno);
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  struct stat info;
  if (fstat(fd, &info) != 0) return FileError(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(StrCat("config file ", path, ": no regular file"));
  }
  std::string text(kConfigFileBytesMax + 1, '\0');
  size_t used = 0;
  while (used < text.size()) {
    const ssize_t got = read(fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(path, errno);
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  text.resize(used);
  return ParseConfig(text, path);
}

}  // namespace grove::config
