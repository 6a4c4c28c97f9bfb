//! The people on whom faults and near misses are planted. Chance makes everybody else.

/// One of them. Days count back from the last export; negative ones lie ahead.
pub struct Part {
    pub login: &'static str,
    pub given: &'static str,
    pub family: &'static str,
    /// Local part of the address, where it is not the login.
    pub mail: Option<&'static str>,
    pub unit: &'static str,
    pub contractor: bool,
    pub start: i64,
    pub end: Option<i64>,
    pub rehired: Option<i64>,
    pub leave: Option<(i64, i64)>,
    /// Day of a move, and the unit before it.
    pub moved: Option<(i64, &'static str)>,
    pub access: &'static str,
}

const fn stays(login: &'static str, given: &'static str, family: &'static str, unit: &'static str, access: &'static str) -> Part {
    Part {
        login,
        given,
        family,
        mail: None,
        unit,
        contractor: false,
        start: 363,
        end: None,
        rehired: None,
        leave: None,
        moved: None,
        access,
    }
}

impl Part {
    const fn started(mut self, day: i64) -> Self {
        self.start = day;
        self
    }
    const fn left(mut self, day: i64) -> Self {
        self.end = Some(day);
        self
    }
    const fn again(mut self, day: i64) -> Self {
        self.rehired = Some(day);
        self
    }
    const fn on_leave(mut self, from: i64, to: i64) -> Self {
        self.leave = Some((from, to));
        self
    }
    const fn moved(mut self, day: i64, from: &'static str) -> Self {
        self.moved = Some((day, from));
        self
    }
    const fn contractor(mut self) -> Self {
        self.contractor = true;
        self
    }
    const fn mail(mut self, local: &'static str) -> Self {
        self.mail = Some(local);
        self
    }
}

#[rustfmt::skip]
pub const CAST: &[Part] = &[
    // ghost-account
    stays("ottilie.brandvold", "Ottilie", "Brandvold", "Sales", "ad").left(40),
    stays("renzo.calabrini", "Renzo", "Calabrini", "Engineering", "ad ldap").left(25),
    stays("henrike.osterlohn", "Henrike", "Osterlohn", "Platform", "ad ldap prod").left(30),
    stays("tadhg.moriartan", "Tadhg", "Moriartan", "Support", "ad crm").left(33),
    stays("iwona.piatkow", "Iwona", "Piątkow", "Sales", "ad").left(4),
    stays("bram.verhulsten", "Bram", "Verhulsten", "Finance", "ad").left(60),
    stays("saskia.lindroth", "Saskia", "Lindroth", "Sales", "ad").left(37),
    stays("wanjiru.kamandeh", "Wanjirũ", "Kamandeh", "Finance", "ad").contractor().left(20),
    stays("till.ebersold", "Till", "Ebersold", "Operations", "ad").left(0),
    stays("vera.kolmanova", "Věra", "Kolmanová", "Operations", "ad").left(16),
    stays("rosa.delgadillo", "Rosa", "Delgadillo", "Support", "ad crm").left(200).again(118),
    stays("ulf.sandersen", "Ulf", "Sandersen", "People", "ad").left(12),
    stays("goran.petkovar", "Goran", "Petkovar", "Engineering", "ad ldap").left(30),
    stays("milan.hruska", "Milan", "Hruška", "Platform", "ad prod").left(26),
    // leave-live-access
    stays("noor.haddadin", "Noor", "Haddadin", "People", "ad").on_leave(25, -60),
    stays("emre.yildizer", "Emre", "Yıldızer", "Data", "ad ldap").on_leave(18, -30),
    stays("jin.seoyang", "진", "서양", "Data", "ad ldap").on_leave(-3, -40),
    stays("paavo.niemela", "Paavo", "Niemelä", "Finance", "ad").on_leave(60, 6),
    stays("agnes.tothfalu", "Ágnes", "Tóthfalu", "Platform", "ad ldap").on_leave(30, -20),
    // leaver-access-unremoved
    stays("dieter.hohlbein", "Dieter", "Hohlbein", "Finance", "ad").left(51),
    stays("leila.mansourian", "Leila", "Mansourian", "Sales", "ad crm").left(45),
    // identity-without-account
    stays("kalani.akanaeo", "Kalani", "Akanaeo", "Operations", "").started(90),
    stays("sunniva.ekrem", "Sunniva", "Ekrem", "Engineering", "").started(120),
    stays("ilse.vandermolen", "Ilse", "van der Molen", "Sales", "").started(-5),
    stays("dario.quintela", "Dário", "Quintela", "Support", "").started(2),
    // disputed-correlation
    stays("katrin.hartmund", "Katrin", "Hartmund", "Sales", "ad"),
    stays("katrin.hartmund2", "Katrin", "Hartmund", "Support", "ad").started(205),
    stays("anna.bergstroem", "Anna", "Bergström", "Sales", "ad").left(150),
    stays("anna.bergstroem2", "Anna", "Bergström", "Support", "ad").mail("anna.bergstroem").started(101),
    stays("marek.zielonka", "Marek", "Zielonka", "Sales", "ad").left(72),
    stays("marek.zielonka2", "Marek", "Zielonka", "Support", "ad").left(58),
    stays("paloma.vasquero", "Paloma", "Vasquero", "Engineering", "ad"),
    stays("jonas.weidlich", "Jonas", "Weidlich", "Sales", "ad crm"),
    stays("jonas.weidlich2", "Jonas", "Weidlich", "Support", "ad crm").started(160),
    // dormant-account
    stays("bogdan.ilicev", "Bogdan", "Ilićev", "Operations", "ad"),
    stays("yuki.tanabeya", "由紀", "田辺谷", "Data", "ad ldap"),
    stays("flora.benedettin", "Flora", "Benedettin", "Finance", "ad crm"),
    stays("cormac.dunleavey", "Cormac", "Dunleavey", "Sales", "ad crm"),
    stays("ruta.kazlauskait", "Rūta", "Kazlauskaitė", "Platform", "ad ldap prod"),
    stays("oskar.lindegaard", "Oskar", "Lindegaard", "Operations", "ad"),
    stays("hanne.dahlberget", "Hanne", "Dahlberget", "People", "ad"),
    stays("pia.norbergius", "Pia", "Norbergius", "Finance", "ad").started(40),
    // keys
    stays("lorenzo.fabbrini", "Lorenzo", "Fabbrini", "Platform", "ad ldap prod"),
    stays("giulia.ferrante", "Giulia", "Ferrante", "Platform", "ad ldap prod"),
    // whose deletion left a trust behind, and another whose membership outlived the entry
    stays("nils.aabye", "Nils", "Aabye", "Data", "ad prod").left(90),
    stays("ondrej.vlcek", "Ondřej", "Vlček", "Engineering", "ad ldap").left(110),
    // mover-residual-access
    stays("tove.lindqvist", "Tove", "Lindqvist", "Data", "ad ldap").moved(40, "Sales"),
    stays("bruno.castellan", "Bruno", "Castellan", "Support", "ad").moved(20, "Finance"),
    // approvers of exceptions
    stays("mechthild.auer", "Mechthild", "Auer", "Platform", "ad"),
    stays("severin.kluth", "Severin", "Kluth", "Finance", "ad crm"),
];
