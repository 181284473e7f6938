// Converter: one YAML document onto the config, key by key.
//
// Goes on behind what is wrong. Several documents may be carried onto the same config: lists grow,
// sections merge, and a value that stands in two is an error.

#ifndef GROVE_SERVER_CONFIG_CONVERTER_H_
#define GROVE_SERVER_CONFIG_CONVERTER_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "server/config/problems.h"
#include "yaml-cpp/yaml.h"

namespace grove::config {

class Converter {
 public:
  // `file` is an index into problems' sources. Relative references begin at `folder`. *cost_bytes
  // is what all documents have cost so far.
  Converter(int file, std::string folder, size_t* cost_bytes, Problems* problems)
      : file_(file),
        folder_(std::move(folder)),
        cost_bytes_(*cost_bytes),
        problems_(*problems),
        sources_(problems->sources()) {}

  // The whole document.
  void Convert(const YAML::Node& document, google::protobuf::Message* out) {
    Section(document, "", {file_, 1, 1}, 1, out);
  }
  Place PlaceOf(const YAML::Mark& mark) const;

 private:
  using Field = google::protobuf::FieldDescriptor;
  using Message = google::protobuf::Message;

  // What a scalar says once its references are looked up.
  struct Scalar {
    std::string text;
    bool is_text = false;  // Quoted, so no number and no truth value.
    bool is_reference = false;
  };

  // An empty value has no place of its own: its key's stands in.
  Place PlaceOf(const YAML::Node& node, const Place& otherwise) const;
  // False: too deep, or too much; said.
  bool Charge(const YAML::Node& node, const Place& place, const std::string& path, int depth);
  void Section(const YAML::Node& node, const std::string& path, const Place& otherwise, int depth,
               Message* out);
  // The field that a key names, unless it must not stand here; said.
  const Field* FieldOf(const YAML::Node& key_node, const std::string& path, const Place& key_place,
                       const Message& out);
  void UnknownKey(const std::string& key, const std::string& path, const Place& place,
                  const google::protobuf::Descriptor& type);
  void WrongType(const YAML::Node& node, const std::string& path, const Place& place,
                 std::string_view expected);
  void List(const YAML::Node& node, const Field& field, const std::string& path,
            const Place& key_place, int depth, Message* out);
  void Value(const YAML::Node& node, const Field& field, const std::string& path,
             const Place& key_place, int depth, Message* out);
  // A mapping whose keys code declares, and sections within it. `field` is of Settings, each of
  // whose names starts with `prefix`.
  void Declared(const YAML::Node& node, const Field& field, const std::string& path,
                const std::string& prefix, const Place& key_place, int depth, Message* out);
  void DeclaredValue(const YAML::Node& node, const Field& field, const std::string& path,
                     const std::string& name, const Place& key_place, int depth, Message* out);
  bool Expand(const YAML::Node& node, const std::string& path, const Place& place, Scalar* scalar);
  // "expected …, found …" for a scalar that cannot be used.
  void Unusable(const Scalar& scalar, const YAML::Node& node, const std::string& path,
                const Place& place, std::string_view expected);
  void SetScalar(const YAML::Node& node, const Field& field, const std::string& path,
                 const Place& place, Message* out);
  void SetBoolean(const Scalar& scalar, const YAML::Node& node, const Field& field,
                  const std::string& path, const Place& place, Message* out);
  void SetInteger(const Scalar& scalar, const YAML::Node& node, const Field& field,
                  const std::string& path, const Place& place, Message* out);
  void SetEnum(const Scalar& scalar, const YAML::Node& node, const Field& field,
               const std::string& path, const Place& place, Message* out);
  void SetText(const Scalar& scalar, const YAML::Node& node, const Field& field,
               const std::string& path, const Place& place, Message* out);

  const int file_;
  const std::string folder_;
  size_t& cost_bytes_;
  Problems& problems_;
  Sources& sources_;
};

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_CONVERTER_H_
