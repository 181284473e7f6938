#include "server/tenancy/sqlite_registry.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/sqlite/side_file.h"

namespace grove::tenancy {
namespace {

using sqlite::Binder;
using sqlite::RunStatement;
using sqlite::TextOf;

// "GRVR" in the file's header: tells the registry from the tasks, and from anybody else's.
constexpr int64_t kApplicationId = 0x47525652;
constexpr int64_t kSchemaVersion = 1;

constexpr char kCreateTables[] = R"(
CREATE TABLE tenants (
  name TEXT NOT NULL PRIMARY KEY,
  draining INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  updated_us INTEGER NOT NULL,
  settings BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE tokens (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  roles TEXT NOT NULL,
  digest BLOB NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  revoked_us INTEGER NOT NULL,
  last_use_us INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  rotated_to TEXT NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
)";

// Of every file, also of one that an older program has made: that one reads it still, without the
// limits.
constexpr char kCreateLimits[] = R"(
CREATE TABLE IF NOT EXISTS limits (
  tenant TEXT NOT NULL,
  pattern TEXT NOT NULL,
  updated_us INTEGER NOT NULL,
  settings BLOB NOT NULL,
  PRIMARY KEY (tenant, pattern)
) WITHOUT ROWID;
)";

constexpr char kSelectTenants[] =
    "SELECT name, draining, version, created_us, updated_us, settings FROM tenants ORDER BY name";
constexpr char kSelectTokens[] =
    "SELECT tenant, id, roles, digest, prefix, created_us, expires_us, revoked_us, last_use_us, "
    "created_by, rotated_to FROM tokens";
constexpr char kPutTenant[] = "INSERT OR REPLACE INTO tenants VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
constexpr char kDropTenant[] = "DELETE FROM tenants WHERE name = ?1";
// Not OR REPLACE, which would take another token's row away for its digest.
constexpr char kPutToken[] =
    "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
    "ON CONFLICT (tenant, id) DO UPDATE SET roles = ?3, digest = ?4, prefix = ?5, "
    "created_us = ?6, expires_us = ?7, revoked_us = ?8, last_use_us = ?9, created_by = ?10, "
    "rotated_to = ?11";
constexpr char kDropToken[] = "DELETE FROM tokens WHERE tenant = ?1 AND id = ?2";
constexpr char kDropTokens[] = "DELETE FROM tokens WHERE tenant = ?1";
constexpr char kSelectLimits[] = "SELECT tenant, pattern, updated_us, settings FROM limits";
constexpr char kPutLimit[] = "INSERT OR REPLACE INTO limits VALUES (?1, ?2, ?3, ?4)";
constexpr char kDropLimit[] = "DELETE FROM limits WHERE tenant = ?1 AND pattern = ?2";
constexpr char kDropLimits[] = "DELETE FROM limits WHERE tenant = ?1";

std::string_view View(const SecretDigest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// As RoleSet::ToString() writes them. False: one that this program does not know.
bool ParseRoles(std::string_view text, RoleSet& roles) {
  for (std::string_view name : StrSplit(text, ',', absl::SkipEmpty())) {
    ConsumePrefix(&name, " ");
    const auto role = std::find_if(std::begin(kGrantedRoles), std::end(kGrantedRoles),
                                   [&](Role each) { return RoleName(each) == name; });
    if (role == std::end(kGrantedRoles)) return false;
    roles.Add(*role);
  }
  return !roles.empty();
}

bool ParseToken(sqlite3_stmt* row, TokenRecord& token) {
  const std::string digest = TextOf(row, 3);
  if (digest.size() != token.digest.size() || !ParseRoles(TextOf(row, 2), token.roles))
    return false;
  std::copy(digest.begin(), digest.end(), token.digest.begin());
  token.prefix = TextOf(row, 4);
  token.created_us = sqlite3_column_int64(row, 5);
  token.expires_us = sqlite3_column_int64(row, 6);
  token.revoked_us = sqlite3_column_int64(row, 7);
  token.last_use_us = sqlite3_column_int64(row, 8);
  token.created_by = TextOf(row, 9);
  token.rotated_to = TextOf(row, 10);
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteRegistry>> SqliteRegistry::Open(const std::string& state_dir) {
  const std::string path = state_dir + "/registry.db";
  auto connection = sqlite::OpenSideFile(path, {.application_id = kApplicationId,
                                                .schema_version = kSchemaVersion,
                                                .create_tables = kCreateTables});
  if (!connection.ok()) return connection.status();
  if (absl::Status limits = connection->Execute(kCreateLimits); !limits.ok()) return limits;
  std::unique_ptr<SqliteRegistry> registry(new SqliteRegistry(path, *std::move(connection)));
  if (absl::Status prepared = registry->Prepare(); !prepared.ok()) return prepared;
  return registry;
}

SqliteRegistry::SqliteRegistry(std::string path, sqlite::Connection connection)
    : path_(std::move(path)),
      connection_(std::move(connection)),
      writer_(connection_, sqlite::SideWriter::Commits::kAlone) {}

absl::Status SqliteRegistry::Prepare() {
  for (auto [sql, statement] : {std::pair(kPutTenant, &put_tenant_),
                                {kDropTenant, &drop_tenant_},
                                {kPutToken, &put_token_},
                                {kDropToken, &drop_token_},
                                {kDropTokens, &drop_tokens_},
                                {kPutLimit, &put_limit_},
                                {kDropLimit, &drop_limit_},
                                {kDropLimits, &drop_limits_}}) {
    auto prepared = connection_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return writer_.Guard(path_);
}

absl::StatusOr<Registry> SqliteRegistry::Load() {
  RegistryChange all;
  absl::Status loaded = LoadTenants(all);
  if (loaded.ok()) loaded = LoadTokens(all);
  if (loaded.ok()) loaded = LoadLimits(all);
  if (!loaded.ok()) return loaded;
  Registry registry;
  registry.Apply(std::move(all));
  return registry;
}

absl::Status SqliteRegistry::LoadTenants(RegistryChange& all) const {
  const auto select = connection_.Prepare(kSelectTenants);
  if (!select.ok()) return select.status();
  sqlite3_stmt* const row = select->get();
  int code = SQLITE_ROW;
  while ((code = connection_.Step(row)) == SQLITE_ROW) {
    all.put_tenants.emplace_back(TextOf(row, 0),
                                 TenantRecord{.draining = sqlite3_column_int64(row, 1) != 0,
                                              .version = sqlite3_column_int64(row, 2),
                                              .created_us = sqlite3_column_int64(row, 3),
                                              .updated_us = sqlite3_column_int64(row, 4),
                                              .settings = TextOf(row, 5)});
  }
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the tenants of");
}

absl::Status SqliteRegistry::LoadTokens(RegistryChange& all) const {
  const auto select = connection_.Prepare(kSelectTokens);
  if (!select.ok()) return select.status();
  sqlite3_stmt* const row = select->get();
  int code = SQLITE_ROW;
  while ((code = connection_.Step(row)) == SQLITE_ROW) {
    TokenKey key(TextOf(row, 0), TextOf(row, 1));
    TokenRecord token;
    // To go on without it would be to forget who was let in, or locked out.
    if (!ParseToken(row, token)) {
      return absl::DataLossError(StrCat(path_, ": the token \"", key.second, "\" of \"", key.first,
                                        "\" cannot be read; restore the file from a backup"));
    }
    all.put_tokens.emplace_back(std::move(key), std::move(token));
  }
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the tokens of");
}

absl::Status SqliteRegistry::LoadLimits(RegistryChange& all) const {
  const auto select = connection_.Prepare(kSelectLimits);
  if (!select.ok()) return select.status();
  sqlite3_stmt* const row = select->get();
  int code = SQLITE_ROW;
  while ((code = connection_.Step(row)) == SQLITE_ROW) {
    all.put_limits.emplace_back(
        LimitName(TextOf(row, 0), TextOf(row, 1)),
        LimitRecord{.updated_us = sqlite3_column_int64(row, 2), .settings = TextOf(row, 3)});
  }
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the limits of");
}

void SqliteRegistry::Write(RegistryChange change, Done done) {
  writer_.Write([this, change = std::move(change)] { return ApplyAll(change); }, std::move(done));
}

void SqliteRegistry::Stop() {
  writer_.Stop();
}

absl::Status SqliteRegistry::ApplyAll(const RegistryChange& change) {
  absl::Status status;
  for (const std::string& tenant : change.drop_tenants) {
    Binder(drop_tokens_.get()) << tenant;
    Binder(drop_limits_.get()) << tenant;
    Binder(drop_tenant_.get()) << tenant;
    status.Update(RunStatement(connection_, drop_tokens_.get()));
    status.Update(RunStatement(connection_, drop_limits_.get()));
    status.Update(RunStatement(connection_, drop_tenant_.get()));
  }
  for (const TokenKey& token : change.drop_tokens) {
    Binder(drop_token_.get()) << token.first << token.second;
    status.Update(RunStatement(connection_, drop_token_.get()));
  }
  for (const auto& [name, tenant] : change.put_tenants) {
    (Binder(put_tenant_.get()) << name << int64_t{tenant.draining} << tenant.version
                               << tenant.created_us << tenant.updated_us)
        .Bytes(tenant.settings);
    status.Update(RunStatement(connection_, put_tenant_.get()));
  }
  for (const auto& [key, token] : change.put_tokens) {
    const std::string roles = token.roles.ToString();
    (Binder(put_token_.get()) << key.first << key.second << roles).Bytes(View(token.digest))
        << token.prefix << token.created_us << token.expires_us << token.revoked_us
        << token.last_use_us << token.created_by << token.rotated_to;
    status.Update(RunStatement(connection_, put_token_.get()));
  }
  for (const LimitName& limit : change.drop_limits) {
    Binder(drop_limit_.get()) << limit.first << limit.second;
    status.Update(RunStatement(connection_, drop_limit_.get()));
  }
  for (const auto& [limit, record] : change.put_limits) {
    (Binder(put_limit_.get()) << limit.first << limit.second << record.updated_us)
        .Bytes(record.settings);
    status.Update(RunStatement(connection_, put_limit_.get()));
  }
  return status;
}

}  // namespace grove::tenancy
