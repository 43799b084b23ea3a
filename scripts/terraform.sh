# shellcheck shell=bash
# Terraform (or OpenTofu), the AWS provider, and a CLI configuration that finds it. Sourced by setup.sh.

# 1.10 is the first version of either whose S3 backend knows use_lockfile, which the manifests ask for.
terraform_minimum=1.10.0

# What is downloaded when the machine has neither.
terraform_version=1.11.4
terraform_sums='
1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc linux_amd64
a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633 linux_arm64
a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b darwin_amd64
867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18 darwin_arm64
'

# usable_terraform PROGRAM: is it there, does it run, is it new enough. Prints its version.
usable_terraform() {
  local version
  have "$1" || return 1
  # The machine's own CLI configuration may be missing or broken; it is not asked for anything here.
  version=$(TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1 "$1" version 2>/dev/null |
    sed -n 's/^[A-Za-z]* v\([0-9][0-9.]*\).*/\1/p' | head -n 1) || return 1
  [ -n "$version" ] && at_least "$version" "$terraform_minimum"
}

# find_terraform: sets $terraform to a program that works
find_terraform() {
  local candidate
  for candidate in ${LIFEBOAT_TF_BIN:+"$LIFEBOAT_TF_BIN"} terraform tofu "$cache/bin/terraform"; do
    if usable_terraform "$candidate"; then
      terraform=$(command -v "$candidate")
      return
    fi
    [ "$candidate" != "${LIFEBOAT_TF_BIN:-}" ] || die "LIFEBOAT_TF_BIN is of no use" \
      "$candidate is not there, does not run, or is older than $terraform_minimum" "correct it, or unset it"
  done
  fetch_terraform
}

fetch_terraform() {
  local target wanted got archive url
  target=$(platform)
  wanted=$(printf '%s' "$terraform_sums" | sed -n "s/^\([0-9a-f]*\) $target\$/\1/p")
  [ -n "$wanted" ] || die "there is no Terraform on the PATH" \
    "none of $terraform_minimum or newer was found, and for $target there is no checksum here to download one by" \
    "install terraform or tofu yourself"
  have curl || die "Terraform cannot be downloaded" "there is no curl" "install curl, or terraform $terraform_minimum or newer"

  archive=terraform_${terraform_version}_$target.zip
  url=${LIFEBOAT_TERRAFORM_URL:-https://releases.hashicorp.com/terraform}/$terraform_version/$archive
  say "no terraform or tofu of $terraform_minimum or newer on the PATH; downloading $terraform_version"
  new_scratch
  curl --fail --silent --show-error --location --retry 3 --connect-timeout 15 -o "$scratch/$archive" "$url" ||
    die "Terraform was not downloaded" "$url did not answer as it should (curl says why above)" \
      "install terraform or tofu $terraform_minimum or newer yourself, or set LIFEBOAT_TERRAFORM_URL to a mirror"
  got=$(sha256 "$scratch/$archive")
  [ "$got" = "$wanted" ] || die "the downloaded Terraform was thrown away" "$url has SHA-256 $got, not $wanted" \
    "find out what stands between you and the download; do not use it"
  if ! unzip -q -o "$scratch/$archive" terraform -d "$scratch" 2>/dev/null; then
    find_python
    "$python" -m zipfile -e "$scratch/$archive" "$scratch" ||
      die "the downloaded Terraform could not be unpacked" "neither unzip nor $python managed it" "install unzip, and run this again"
  fi
  chmod 755 "$scratch/terraform"
  mkdir -p "$cache/bin"
  mv -f "$scratch/terraform" "$cache/bin/terraform"
  terraform=$cache/bin/terraform
}

# The folders that may hold a provider mirror: those in which Terraform itself looks when it has no
# CLI configuration, and the system's folder for add-on software.
mirror_folders() {
  local data_dirs=${XDG_DATA_DIRS:-/usr/local/share:/usr/share} folder
  echo "$HOME/.terraform.d/plugins"
  echo "$HOME/Library/Application Support/io.terraform/plugins"
  echo "${XDG_DATA_HOME:-$HOME/.local/share}/terraform/plugins"
  echo "/Library/Application Support/io.terraform/plugins"
  printf '%s\n' "$data_dirs:/usr/local/share:/usr/share" | tr ':' '\n' | sed 's|$|/terraform/plugins|'
  for folder in /opt/*; do echo "$folder"; done
}

# providers_in FOLDER: HOST/NAMESPACE/TYPE of each provider there that has a package for $target,
# this machine; for the AWS provider, one of $aws_version, which the example's lock file names.
providers_in() {
  local provider version
  for provider in "$1"/*.*/*/*; do
    case $provider in
      */hashicorp/aws) version=$aws_version ;;
      *) version='*' ;;
    esac
    # Unpacked: VERSION/PLATFORM/. Packed: terraform-provider-TYPE_VERSION_PLATFORM.zip.
    # shellcheck disable=SC2086 # the version may be a pattern
    if compgen -G "$(escape_glob "$provider")/$version/$target" >/dev/null ||
      compgen -G "$(escape_glob "$provider")/terraform-provider-${provider##*/}_${version}_$target.zip" >/dev/null; then
      echo "${provider#"$1"/}"
    fi
  done
}

escape_glob() { printf '%s' "$1" | sed 's/[][*?\\]/\\&/g'; }

# list_hcl: lines of standard input as the inside of an HCL list
list_hcl() { sed 's/.*/"&"/' | paste -s -d , - | sed 's/,/, /g'; }

# write_terraform_configuration: $cache/terraformrc, by itself enough for terraform init.
#
# The machine's own CLI configuration is left alone and not read: it may be missing, broken, or
# say things that a rehearsal must not depend on.
write_terraform_configuration() {
  local folder found all='' seen=: lock=$repo/examples/streaming-logs/infra/.terraform.lock.hcl
  target=$(platform)
  aws_version=$(sed -n 's/^ *version *= *"\(.*\)".*/\1/p' "$lock" | head -n 1)

  mirrors=
  while IFS= read -r folder; do
    case $seen in *":$folder:"*) continue ;; esac
    seen=$seen$folder:
    [ -d "$folder" ] || continue
    found=$(providers_in "$folder")
    [ -n "$found" ] || continue
    all=$all$found$'\n'
    mirrors="$mirrors
  filesystem_mirror {
    path    = \"$folder\"
    include = [$(printf '%s\n' "$found" | list_hcl)]
  }"
  done <<FOLDERS
$(mirror_folders)
FOLDERS
  all=$(printf '%s' "$all" | sort -u)

  {
    echo "# Written by scripts/setup.sh of lifeboat, and overwritten by it."
    echo "disable_checkpoint = true"
    # With every package in a mirror there is nothing to cache, and a cache is not made for several
    # runs at once: it is only there for what comes over the network, filled before anything runs.
    has_aws "$all" || echo "plugin_cache_dir   = \"$cache/plugins\""
    echo "provider_installation {$mirrors"
    echo "  direct {"
    [ -z "$all" ] || echo "    exclude = [$(printf '%s\n' "$all" | list_hcl)]"
    echo "  }"
    echo "}"
  } | replace "$cache/terraformrc"

  has_aws "$all" || fetch_provider
}

has_aws() { printf '%s\n' "$1" | grep -q '/hashicorp/aws$'; }

# fetch_provider: fills the plugin cache, so that several runs afterwards only read it
fetch_provider() {
  mkdir -p "$cache/plugins"
  ! has_aws "$(providers_in "$cache/plugins")" || return 0
  say "no mirror on this machine has the AWS provider $aws_version; downloading it (once, some 150 MB)"
  new_scratch
  cp -R "$repo/examples/streaming-logs/infra/." "$scratch"
  if ! TF_CLI_CONFIG_FILE=$cache/terraformrc TF_DATA_DIR=$scratch/data CHECKPOINT_DISABLE=1 \
    "$terraform" -chdir="$scratch" init -backend=false -input=false -no-color >"$cache/init.log" 2>&1; then
    tail -n 20 "$cache/init.log" >&2
    die "the AWS provider was not downloaded" "terraform init failed, with the words above" \
      "connect to the network, or put the provider's package below $HOME/.terraform.d/plugins (see \"Implied Local Mirror Directories\" in Terraform's documentation)"
  fi
}
