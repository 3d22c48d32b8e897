#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints what the image's program consists of, as an SPDX 2.3 document: the program, the wolfSSL in
# it, and the Debian packages of the shared libraries that it loads.
#
#   docker/sbom.sh VERSION ARCH WOLFSSL_STAMP NEEDED
#
# NEEDED is what needed.sh printed. The same input gives the same document, if SOURCE_DATE_EPOCH
# says which time to write.
set -eu

version=$1
arch=$2
stamp=$3
needed=$4

# From the stamp: `Debian 5.7.2-0.1` or `tarball 5.9.2`.
wolfssl=$(sed -n 2p "$stamp")
wolfssl_version=${wolfssl#* }
if [ -z "$wolfssl_version" ]; then
    echo "sbom: $stamp does not say what wolfSSL was built from" >&2
    exit 1
fi
case $wolfssl_version in
5.[0-7].*) wolfssl_license=GPL-2.0-or-later ;;
*) wolfssl_license=GPL-3.0-or-later ;;
esac

# shellcheck source=/dev/null
. /etc/os-release
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)
print=$({ printf '%s\n' "$version" "$arch" "$wolfssl" && cat "$needed"; } | sha256sum | cut -c 1-32)

purl_text() {
    printf '%s' "$1" | sed -e 's/%/%25/g' -e 's/+/%2B/g' -e 's/:/%3A/g'
}

# package NAME VERSION LICENSE SUPPLIER PURL COMMENT
package() {
    cat <<JSON
    {
      "SPDXID": "SPDXRef-$1",
      "name": "$1",
      "versionInfo": "$2",
      "supplier": "$4",
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": false,
      "licenseConcluded": "NOASSERTION",
      "licenseDeclared": "$3",
      "copyrightText": "NOASSERTION",
      "comment": "$6",
      "externalRefs": [
        {
          "referenceCategory": "PACKAGE-MANAGER",
          "referenceType": "purl",
          "referenceLocator": "$5"
        }
      ]
    }
JSON
}

# relation FROM TYPE TO
relation() {
    printf '    {"spdxElementId": "SPDXRef-%s", "relationshipType": "%s", ' "$1" "$2"
    printf '"relatedSpdxElement": "SPDXRef-%s"}' "$3"
}

case $wolfssl in
Debian*)
    wolfssl_purl="pkg:deb/debian/wolfssl@$(purl_text "$wolfssl_version")?arch=source"
    wolfssl_from='Organization: Debian'
    ;;
*)
    wolfssl_purl="pkg:generic/wolfssl@$(purl_text "$wolfssl_version")"
    wolfssl_from='Organization: wolfSSL Inc.'
    ;;
esac

cat <<JSON
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "sluice-$version-$arch",
  "documentNamespace": "https://spdx.org/spdxdocs/sluice-$version-$arch-$print",
  "creationInfo": {
    "created": "$created",
    "creators": ["Tool: sluice-sbom.sh-$version"]
  },
  "packages": [
JSON
package sluice "$version" GPL-3.0-or-later NOASSERTION \
    "pkg:generic/sluice@$(purl_text "$version")" "The program, for $arch."
echo ,
package wolfssl "$wolfssl_version" "$wolfssl_license" "$wolfssl_from" "$wolfssl_purl" \
    "Linked into the program. Source: $wolfssl."
while read -r name its_version source source_version; do
    echo ,
    purl="pkg:deb/debian/$(purl_text "$name")@$(purl_text "$its_version")"
    package "$name" "$its_version" NOASSERTION 'Organization: Debian' \
        "$purl?arch=$arch&distro=debian-$VERSION_ID" \
        "A shared library. Source: $source $source_version."
done <"$needed"
printf '  ],\n  "relationships": [\n'
relation DOCUMENT DESCRIBES sluice
printf ',\n'
relation sluice STATIC_LINK wolfssl
while read -r name _; do
    printf ',\n'
    relation sluice DYNAMIC_LINK "$name"
done <"$needed"
printf '\n  ]\n}\n'
