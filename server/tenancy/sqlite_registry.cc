#include "server/tenancy/sqlite_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::tenancy {
namespace {

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

// Puts values into a statement, one after the other; they have to outlive its step.
class Binder {
 public:
  explicit Binder(sqlite3_stmt* statement) : statement_(statement) {}
  Binder& operator<<(int64_t value) {
    sqlite3_bind_int64(statement_, ++parameter_, value);
    return *this;
  }
  Binder& operator<<(const std::string& text) {
    sqlite3_bind_text64(statement_, ++parameter_, text.data(), text.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
    return *this;
  }
  Binder& Bytes(std::string_view bytes) {
    sqlite3_bind_blob64(statement_, ++parameter_, bytes.data(), bytes.size(), SQLITE_STATIC);
    return *this;
  }

 private:
  sqlite3_stmt* const statement_;
  int parameter_ = 0;
};

std::string Text(sqlite3_stmt* row, int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
  return bytes == nullptr ? "" : std::string(bytes, sqlite3_column_bytes(row, column));
}

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
  const std::string digest = Text(row, 3);
  if (digest.size() != token.digest.size() || !ParseRoles(Text(row, 2), token.roles)) return false;
  std::copy(digest.begin(), digest.end(), token.digest.begin());
  token.prefix = Text(row, 4);
  token.created_us = sqlite3_column_int64(row, 5);
  token.expires_us = sqlite3_column_int64(row, 6);
  token.revoked_us = sqlite3_column_int64(row, 7);
  token.last_use_us = sqlite3_column_int64(row, 8);
  token.created_by = Text(row, 9);
  token.rotated_to = Text(row, 10);
  return true;
}

// Before SQLite does, which goes by the umask: digests are nobody's to read, not even to guess at.
absl::Status CreatePrivate(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const std::string text = StrCat("open ", path, ": ", strerror(errno));
    return errno == EACCES || errno == EPERM || errno == EROFS ? absl::PermissionDeniedError(text)
                                                               : absl::UnavailableError(text);
  }
  close(fd);
  return absl::OkStatus();
}

absl::Status CheckFormat(const sqlite::Connection& connection, const std::string& path) {
  const auto application = connection.QueryNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != kApplicationId) {
    return absl::FailedPreconditionError(
        StrCat(path, " is a database of another program; move it away or use another --state_dir"));
  }
  const auto version = connection.QueryNumber("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kSchemaVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat(path, " has schema version ", *version, ", this program reads version ",
             kSchemaVersion, "; use the program that wrote it or another --state_dir"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteRegistry>> SqliteRegistry::Open(const std::string& state_dir) {
  const std::string path = state_dir + "/registry.db";
  if (absl::Status created = CreatePrivate(path); !created.ok()) return created;
  auto connection = sqlite::Connection::Open(path, sqlite::Connection::Missing::kRefuse);
  if (!connection.ok()) return connection.status();
  const auto tables = connection->QueryNumber("SELECT count(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  if (*tables > 0) {
    if (absl::Status format = CheckFormat(*connection, path); !format.ok()) return format;
  }
  // FULL: a token that was revoked stays revoked after a loss of power.
  absl::Status set_up =
      connection->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  if (set_up.ok() && *tables == 0) {
    set_up = connection->Execute(StrCat("BEGIN IMMEDIATE;", kCreateTables,
                                        "PRAGMA application_id = ", kApplicationId,
                                        "; PRAGMA user_version = ", kSchemaVersion, "; COMMIT;"));
  }
  if (!set_up.ok()) return set_up;
  std::unique_ptr<SqliteRegistry> registry(new SqliteRegistry(path, *std::move(connection)));
  if (absl::Status prepared = registry->Prepare(); !prepared.ok()) return prepared;
  return registry;
}

SqliteRegistry::SqliteRegistry(std::string path, sqlite::Connection connection)
    : path_(std::move(path)), connection_(std::move(connection)) {}

SqliteRegistry::~SqliteRegistry() {
  End(Ending::kDrop);
}

absl::Status SqliteRegistry::Prepare() {
  for (auto [sql, statement] : {std::pair(kPutTenant, &put_tenant_),
                                {kDropTenant, &drop_tenant_},
                                {kPutToken, &put_token_},
                                {kDropToken, &drop_token_},
                                {kDropTokens, &drop_tokens_}}) {
    auto prepared = connection_.Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  struct stat file {};
  if (stat(path_.c_str(), &file) != 0) {
    return absl::UnavailableError(StrCat("stat ", path_, ": ", strerror(errno)));
  }
  device_ = file.st_dev;
  inode_ = file.st_ino;
  return absl::OkStatus();
}

absl::StatusOr<Registry> SqliteRegistry::Load() {
  RegistryChange all;
  absl::Status loaded = LoadTenants(all);
  if (loaded.ok()) loaded = LoadTokens(all);
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
    all.put_tenants.emplace_back(Text(row, 0),
                                 TenantRecord{.draining = sqlite3_column_int64(row, 1) != 0,
                                              .version = sqlite3_column_int64(row, 2),
                                              .created_us = sqlite3_column_int64(row, 3),
                                              .updated_us = sqlite3_column_int64(row, 4),
                                              .settings = Text(row, 5)});
  }
  return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read the tenants of");
}

absl::Status SqliteRegistry::LoadTokens(RegistryChange& all) const {
  const auto select = connection_.Prepare(kSelectTokens);
  if (!select.ok()) return select.status();
  sqlite3_stmt* const row = select->get();
  int code = SQLITE_ROW;
  while ((code = connection_.Step(row)) == SQLITE_ROW) {
    TokenKey key(Text(row, 0), Text(row, 1));
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

void SqliteRegistry::Write(RegistryChange change, Done done) {
  const absl::MutexLock lock(&mutex_);
  pending_.push_back({std::move(change), std::move(done)});
  // With the first change: most daemons never see one.
  if (!thread_.joinable()) thread_ = std::thread(&SqliteRegistry::RunThread, this);
}

void SqliteRegistry::Stop() {
  End(Ending::kFlush);
}

void SqliteRegistry::End(Ending ending) {
  {
    const absl::MutexLock lock(&mutex_);
    if (ending_ == Ending::kNone) ending_ = ending;
  }
  if (thread_.joinable()) thread_.join();
}

bool SqliteRegistry::HasWork() const {
  return !pending_.empty() || ending_ != Ending::kNone;
}

void SqliteRegistry::RunThread() {
  for (;;) {
    Pending next;
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &SqliteRegistry::HasWork));
      if (ending_ == Ending::kDrop || pending_.empty()) return;
      next = std::move(pending_.front());
      pending_.pop_front();
    }
    next.done(Commit(next.change));
  }
}

absl::Status SqliteRegistry::CheckInPlace() const {
  struct stat file {};
  const bool there = stat(path_.c_str(), &file) == 0;
  if (there && file.st_dev == device_ && file.st_ino == inode_) return absl::OkStatus();
  return absl::UnavailableError(StrCat(path_, there ? " was replaced" : " was taken away",
                                       " while it was open; put it back"));
}

absl::Status SqliteRegistry::Commit(const RegistryChange& change) {
  if (absl::Status there = CheckInPlace(); !there.ok()) return there;
  absl::Status status = connection_.Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = ApplyAll(change);
  if (status.ok()) status = connection_.Execute("COMMIT");
  // Some errors have rolled back by themselves; then there is nothing left to roll back.
  if (!status.ok() && connection_.InTransaction()) connection_.Execute("ROLLBACK").IgnoreError();
  return status;
}

absl::Status SqliteRegistry::ApplyAll(const RegistryChange& change) {
  absl::Status status;
  for (const std::string& tenant : change.drop_tenants) {
    Binder(drop_tokens_.get()) << tenant;
    Binder(drop_tenant_.get()) << tenant;
    status.Update(Run(drop_tokens_.get()));
    status.Update(Run(drop_tenant_.get()));
  }
  for (const TokenKey& token : change.drop_tokens) {
    Binder(drop_token_.get()) << token.first << token.second;
    status.Update(Run(drop_token_.get()));
  }
  for (const auto& [name, tenant] : change.put_tenants) {
    (Binder(put_tenant_.get()) << name << int64_t{tenant.draining} << tenant.version
                               << tenant.created_us << tenant.updated_us)
        .Bytes(tenant.settings);
    status.Update(Run(put_tenant_.get()));
  }
  for (const auto& [key, token] : change.put_tokens) {
    const std::string roles = token.roles.ToString();
    (Binder(put_token_.get()) << key.first << key.second << roles).Bytes(View(token.digest))
        << token.prefix << token.created_us << token.expires_us << token.revoked_us
        << token.last_use_us << token.created_by << token.rotated_to;
    status.Update(Run(put_token_.get()));
  }
  return status;
}

absl::Status SqliteRegistry::Run(sqlite3_stmt* statement) {
  const int code = connection_.Step(statement);
  absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("write");
  sqlite3_reset(statement);
  // What was bound is the caller's and ends with this call.
  sqlite3_clear_bindings(statement);
  return status;
}

}  // namespace grove::tenancy
