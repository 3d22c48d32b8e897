# SPDX-License-Identifier: GPL-3.0-or-later
# sluice: the source tarball, the manual pages and the Debian package. The Makefile includes this file.

# ---------------------------------------------------------------------------------- source tarball

.PHONY: dist manual deb deb-test arm64-test

DIST = $(B)/sluice-$(VERSION).tar.gz

dist:  ## make the source tarball of the last commit, build/sluice-VERSION.tar.gz, always the same
	$(Q)config/dist.sh 'sluice-$(VERSION)' '$(DIST)'

# ---------------------------------------------------------------------------------- manual pages

# The program tells its keys, so one for another machine (ARCH) has no pages.
MANUAL = $(if $(ARCH),,$(B)/manual/sluice.8 $(B)/manual/sluice.ini.5)

manual: $(MANUAL)  ## make the manual pages, build/manual/sluice.8 and sluice.ini.5

$(B)/manual/%: config/manual/%.in config/manual/make.sh $(BIN)
	$(call say,MANUAL,$@)
	$(Q)mkdir -p $(@D) && config/manual/make.sh $(BIN) '$(VERSION)' "$$(config/date.sh)" \
	  '$(SYSCONFDIR)' <$< >$@

# ---------------------------------------------------------------------------------- Debian package

# DEB_REVISION and DEB_MAINTAINER are for who builds packages of their own; Debian's own tools read
# DEBFULLNAME and DEBEMAIL. The address of .invalid says that nobody has put a name to the package.
DEB_REVISION ?= 1
DEB_NOBODY = sluice maintainers <maintainers@sluice.invalid>
DEB_MAINTAINER ?= $(if $(and $(DEBFULLNAME),$(DEBEMAIL)),$(DEBFULLNAME) <$(DEBEMAIL)>,$(DEB_NOBODY))
DEB_PACKAGES = build-essential debhelper fakeroot
DEB_TREE = $(B)/deb/sluice-$(VERSION)

deb: dist $(WOLFSSL_STAMP)  ## make the Debian package of the last commit, build/deb/sluice_*.deb
	$(Q)proxy/packages.sh 'to make the package' $(B)/packages.log $(DEB_PACKAGES)
	$(Q)rm -rf '$(B)/deb' && mkdir -p '$(B)/deb' && tar -x -f '$(DIST)' -C '$(B)/deb' && \
	  cp '$(DIST)' '$(B)/deb/sluice_$(VERSION).orig.tar.gz'
	$(Q)'$(DEB_TREE)/config/debian/make.sh' '$(DEB_TREE)/debian' '$(VERSION)' '$(DEB_REVISION)' \
	  '$(subst ','\'',$(DEB_MAINTAINER))'
	$(Q)cd '$(DEB_TREE)' && env -u MAKEFLAGS -u MAKELEVEL -u VARIANT -u B \
	  WOLFSSL_PREFIX='$(abspath $(WOLFSSL_PREFIX))' \
	  WOLFSSL_SOURCE="$$(sed -n 's/^Debian //p' '$(abspath $(WOLFSSL_PREFIX))/stamp' 2>/dev/null)" \
	  dpkg-buildpackage -us -uc -b $(DEB_BUILD_FLAGS) >../build.log 2>&1 || \
	  { tail -n 40 ../build.log >&2; exit 1; }
	$(Q)ls -1 '$(B)'/deb/*.deb
	$(if $(findstring $(DEB_NOBODY),$(DEB_MAINTAINER)),@echo "deb: nobody is named as its maintainer; \
	DEB_MAINTAINER='Name <address>' names you")

deb-test: dist  ## make and try the Debian package in Debian 12 and 13 (root; SUITES=trixie: only there)
	$(Q)proxy/packages.sh 'to test the package' $(B)/packages.log debootstrap systemd-container
	$(Q)$(PYTHON) tests/deb/run.py '$(B)/deb-test' '$(DIST)' '$(VERSION)' $(SUITES)

arm64-test: dist  ## build for arm64 in a Debian of its own and run the unit tests under qemu (root)
	$(Q)proxy/packages.sh 'to test for arm64' $(B)/packages.log debootstrap
	$(Q)$(PYTHON) tests/deb/arm64.py '$(B)/deb-test' '$(DIST)' '$(VERSION)' $(SUITES)
