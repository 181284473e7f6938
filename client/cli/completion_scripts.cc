#include <string>
#include <string_view>

#include "client/cli/complete.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

// Bash takes "--state=RUN" for three words, and what it is offered for the last of them.
constexpr std::string_view kBash =
    R"(# bash completion of grovectl: source <(grovectl completion bash)
_grovectl() {
  local words=() word line cut= i
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((${#words[@]})) && [[ ${words[-1]} == --* ]] &&
      [[ $word == = && ${words[-1]} != *=* || ${words[-1]} == --*= ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  [[ ${words[-1]} == --*=* ]] && cut=${words[-1]%%=*}=
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
    else
      line=${line%%$'\t'*}
      COMPREPLY+=("${line#"$cut"}")
    fi
  done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _grovectl grovectl
)";

constexpr std::string_view kZsh = R"(#compdef grovectl
# zsh completion of grovectl: source <(grovectl completion zsh), after compinit
_grovectl() {
  local -a candidates
  local line tab=$'\t' files=
  for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) files=1 ;;
      *) candidates+=("${${line%%$tab*}//:/\\:}:${line#*$tab}") ;;
    esac
  done
  (( ${#candidates} )) && _describe grovectl candidates
  [[ -n $files ]] && _files
}
compdef _grovectl grovectl
)";

constexpr std::string_view kFish =
    R"fish(# fish completion of grovectl: grovectl completion fish | source
function __grovectl_ask
    set -l words (commandline -opc)
    set -a words (commandline -ct)
    command $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c grovectl -f -a "(__grovectl_ask | string match -v :files)"
complete -c grovectl -n "__grovectl_ask | string match -q :files" -F
)fish";

}  // namespace

std::string CompletionScript(const std::string& shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return "";
}

absl::Status RunCompletion(Command& command) {
  const std::string& shell = command.arguments.positional()[0];
  const std::string script = CompletionScript(shell);
  if (script.empty()) {
    return UsageError(StrCat("there is no completion for \"", shell, "\": bash, zsh or fish"));
  }
  command.shell.out << script;
  return absl::OkStatus();
}

}  // namespace grove::client::cli
