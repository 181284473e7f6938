#include "server/config/change.h"

#include <algorithm>
#include <map>
#include <optional>

#include "google/protobuf/util/message_differencer.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/http_listeners.h"
#include "server/config/schema.h"

namespace grove::config {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

// What a reader calls an entry; empty where it has no name.
std::string NameOf(const Message& entry) {
  if (entry.GetDescriptor() == config::v1::Route::descriptor()) {
    const auto& route = static_cast<const config::v1::Route&>(entry);
    return StrCat(route.method(), route.method().empty() ? "" : " ", route.host(), route.path());
  }
  const FieldDescriptor* name = entry.GetDescriptor()->FindFieldByName("name");
  std::string text = name == nullptr ? "" : entry.GetReflection()->GetString(entry, name);
  if (text.empty() && entry.GetDescriptor() == config::v1::HttpListener::descriptor()) {
    text = static_cast<const config::v1::HttpListener&>(entry).address();
  }
  return text;
}

using IndexOfName = std::map<std::string, int>;

// Nothing where names do not tell the entries apart.
std::optional<IndexOfName> NamesOf(const Message& message, const FieldDescriptor& list) {
  IndexOfName names;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &list); ++i) {
    const std::string name = NameOf(message.GetReflection()->GetRepeatedMessage(message, &list, i));
    if (name.empty() || !names.emplace(name, i).second) return std::nullopt;
  }
  return names;
}

// A section in one of the configs.
struct Side {
  const Message& message;
  std::string key;  // With indices, as references have it.
  const References& references;

  Side Entry(const FieldDescriptor& list, int index) const {
    return {message.GetReflection()->GetRepeatedMessage(message, &list, index),
            StrCat(KeyOf(list), "[", index, "]"), references};
  }
  Side Section(const FieldDescriptor& field) const {
    return {message.GetReflection()->GetMessage(message, &field), KeyOf(field), references};
  }
  bool Has(const FieldDescriptor& field) const {
    return message.GetReflection()->HasField(message, &field);
  }
  int SizeOf(const FieldDescriptor& list) const {
    return message.GetReflection()->FieldSize(message, &list);
  }
  std::string KeyOf(const FieldDescriptor& field) const {
    return key.empty() ? field.name() : StrCat(key, ".", field.name());
  }
  // Empty for a value that says nothing.
  std::string ValueOf(const FieldDescriptor& field) const {
    const auto& reflection = *message.GetReflection();
    const bool is_empty = field.is_repeated() ? SizeOf(field) == 0
                          : field.cpp_type() == FieldDescriptor::CPPTYPE_STRING
                              ? reflection.GetString(message, &field).empty()
                          : field.enum_type() != nullptr
                              ? reflection.GetEnumValue(message, &field) == 0
                              : false;
    return is_empty ? "" : FormatValue(message, field, KeyOf(field), references);
  }
  std::string Text() const { return FormatEntry(message, key, references); }
};

class Comparison {
 public:
  // `key` is what a reader calls the section.
  void Sections(const Side& old, const Side& now, const std::string& key);
  std::vector<Change> Take() { return std::move(changes_); }

 private:
  void Field(const Side& old, const Side& now, const FieldDescriptor& field,
             const std::string& key);
  void Lists(const Side& old, const Side& now, const FieldDescriptor& list, const std::string& key);
  // Keys that code has declared.
  void Declared(const Side& old, const Side& now, const FieldDescriptor& list,
                const std::string& key);
  // `schema_key` may have indices.
  void Add(const std::string& key, const std::string& schema_key, std::string old_value,
           std::string new_value) {
    changes_.push_back({key, std::move(old_value), std::move(new_value), EffectOf(schema_key)});
  }

  std::vector<Change> changes_;
};

void Comparison::Sections(const Side& old, const Side& now, const std::string& key) {
  // Most sections of most reloads are the same.
  if (google::protobuf::util::MessageDifferencer::Equals(old.message, now.message)) return;
  for (const FieldDescriptor* field : FieldsInOrder(*old.message.GetDescriptor(), old.key)) {
    Field(old, now, *field, key.empty() ? field->name() : StrCat(key, ".", field->name()));
  }
}

void Comparison::Field(const Side& old, const Side& now, const FieldDescriptor& field,
                       const std::string& key) {
  const bool is_section = field.message_type() != nullptr;
  if (field.message_type() == config::v1::Setting::descriptor()) {
    return Declared(old, now, field, key);
  }
  if (is_section && field.is_repeated()) return Lists(old, now, field, key);
  if (is_section) {
    const bool was = old.Has(field), is = now.Has(field);
    if (was && is) return Sections(old.Section(field), now.Section(field), key);
    if (was) Add(key, old.KeyOf(field), old.Section(field).Text(), "");
    if (is) Add(key, now.KeyOf(field), "", now.Section(field).Text());
    return;
  }
  // Compared without references, which look alike before and after.
  const Side old_bare = {old.message, old.key, {}}, now_bare = {now.message, now.key, {}};
  if (old_bare.ValueOf(field) == now_bare.ValueOf(field)) return;
  Add(key, now.KeyOf(field), old.ValueOf(field), now.ValueOf(field));
}

void Comparison::Declared(const Side& old, const Side& now, const FieldDescriptor& list,
                          const std::string& key) {
  struct Pair {
    const config::v1::Setting* old = nullptr;
    const config::v1::Setting* now = nullptr;
  };
  std::map<std::string, Pair> pairs;
  const auto setting = [&list](const Side& side, int index) {
    return static_cast<const config::v1::Setting*>(
        &side.message.GetReflection()->GetRepeatedMessage(side.message, &list, index));
  };
  for (int i = 0; i < old.SizeOf(list); ++i) pairs[setting(old, i)->name()].old = setting(old, i);
  for (int i = 0; i < now.SizeOf(list); ++i) pairs[setting(now, i)->name()].now = setting(now, i);
  for (const auto& [name, pair] : pairs) {
    const auto same = [](const config::v1::Setting& a, const config::v1::Setting& b) {
      return a.is_list() == b.is_list() &&
             std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
    };
    if (pair.old != nullptr && pair.now != nullptr && same(*pair.old, *pair.now)) continue;
    const std::string of_name = StrCat(".", name);
    const auto text = [&](const config::v1::Setting* side, const Side& of) {
      if (side == nullptr) return std::string();
      return FormatSetting(*side, of.KeyOf(list) + of_name, of.references);
    };
    Add(key + of_name, now.KeyOf(list) + of_name, text(pair.old, old), text(pair.now, now));
  }
}

void Comparison::Lists(const Side& old, const Side& now, const FieldDescriptor& list,
                       const std::string& key) {
  const std::optional<IndexOfName> old_names = NamesOf(old.message, list);
  const std::optional<IndexOfName> new_names = NamesOf(now.message, list);
  const bool by_name = old_names.has_value() && new_names.has_value();
  const auto name = [&](const Side& side) { return StrCat(key, "[", NameOf(side.message), "]"); };
  for (int i = 0; i < old.SizeOf(list); ++i) {
    const Side entry = old.Entry(list, i);
    const auto found =
        by_name ? new_names->find(NameOf(entry.message)) : IndexOfName::const_iterator();
    const bool still_is = by_name ? found != new_names->end() : i < now.SizeOf(list);
    const std::string called = by_name ? name(entry) : StrCat(key, "[", i, "]");
    if (still_is) {
      Sections(entry, now.Entry(list, by_name ? found->second : i), called);
    } else {
      Add(called, entry.key, entry.Text(), "");
    }
  }
  for (int i = 0; i < now.SizeOf(list); ++i) {
    const Side entry = now.Entry(list, i);
    const bool was = by_name ? old_names->contains(NameOf(entry.message)) : i < old.SizeOf(list);
    if (!was) Add(by_name ? name(entry) : StrCat(key, "[", i, "]"), entry.key, "", entry.Text());
  }
}

}  // namespace

std::vector<Change> Compare(const config::v1::Config& old, const config::v1::Config& now,
                            const References& old_references, const References& new_references) {
  config::v1::Config old_written = old, new_written = now;
  UngatherHttpListeners(old_written.mutable_http());
  UngatherHttpListeners(new_written.mutable_http());
  Comparison comparison;
  comparison.Sections({old_written, "", old_references}, {new_written, "", new_references}, "");
  return comparison.Take();
}

Effect SeverestOf(const std::vector<Change>& changes) {
  Effect severest = Effect::kInPlace;
  for (const Change& change : changes) severest = std::max(severest, change.effect);
  return severest;
}

}  // namespace grove::config
