# packages.sh - which Debian packages Weft needs, and how they get onto the machine.  To be sourced.
#
# The build needs build_packages, the tests test_packages besides.  Nothing here asks apt anything
# unless a package is missing: dpkg-query answers in a few milliseconds.

build_packages=(
    bazel-bootstrap bazel-platforms bazel-rules-cc bazel-rules-java bazel-rules-proto bazel-skylib
    gcc libc6-dev
    libcmocka-dev libcurl4-openssl-dev libgrpc-dev libjansson-dev libmbedtls-dev libmicrohttpd-dev
    libprotobuf-c-dev libprotobuf-dev libsqlite3-dev libssl-dev libstemmer-dev
    protobuf-c-compiler protobuf-compiler
)
test_packages=(clang clang-format clang-tidy libclang-rt-dev openssl zlib1g-dev)

# missing_packages NAME...: those of them that are not installed, one a line.
missing_packages() {
    # dpkg-query fails when it does not know one of the names; what it knows it has printed.
    comm -13 \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
            sed -n 's/^installed //p' | sort -u) \
        <(printf '%s\n' "$@" | sort -u)
}

# as_root COMMAND...: as it is for root, by sudo for others.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "weft: this must run as root, and there is no sudo here: $*" >&2
        return 1
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# install_packages NAME...: installs those that are missing, and says which.
install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "weft: not a Debian; please install what these packages hold: ${missing[*]}" >&2
        return 1
    fi
    echo "weft: installing ${missing[*]}" >&2
    # Lists may be absent (a fresh image) or so old that a package has gone from the mirror.
    apt_install "${missing[@]}" >&2 || {
        as_root apt-get update -q >&2
        apt_install "${missing[@]}" >&2
    }
}
