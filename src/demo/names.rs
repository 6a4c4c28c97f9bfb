//! Invented names of many scripts, each with the ASCII spelling that becomes a login.

/// As written, and as typed.
pub type Name = (&'static str, &'static str);

#[rustfmt::skip]
pub const GIVEN: &[Name] = &[
    ("Adaeze", "adaeze"), ("Alvaro", "alvaro"), ("Amélie", "amelie"), ("Anselm", "anselm"), ("Ayşe", "ayse"),
    ("Beatriz", "beatriz"), ("Björn", "bjoern"), ("Božena", "bozena"), ("Caspian", "caspian"), ("Chiara", "chiara"),
    ("Damaris", "damaris"), ("Đorđe", "djordje"), ("Eilidh", "eilidh"), ("Elif", "elif"), ("Étienne", "etienne"),
    ("Farida", "farida"), ("Fjóla", "fjola"), ("Gaspard", "gaspard"), ("Greta", "greta"), ("Hamza", "hamza"),
    ("Ileana", "ileana"), ("Ingvild", "ingvild"), ("Jasper", "jasper"), ("Jürgen", "juergen"), ("Kofi", "kofi"),
    ("Larissa", "larissa"), ("Łukasz", "lukasz"), ("Mireille", "mireille"), ("Nadim", "nadim"), ("Ngozi", "ngozi"),
    ("Oisín", "oisin"), ("Olive", "olive"), ("Pavel", "pavel"), ("Priya", "priya"), ("Quentin", "quentin"),
    ("Ravi", "ravi"), ("Roksana", "roksana"), ("Şebnem", "sebnem"), ("Signe", "signe"), ("Soledad", "soledad"),
    ("Søren", "soeren"), ("Tamsin", "tamsin"), ("Tomasz", "tomasz"), ("Ulrike", "ulrike"), ("Viggo", "viggo"),
    ("Wendeline", "wendeline"), ("Xiulan", "xiulan"), ("Ylva", "ylva"), ("Zofia", "zofia"), ("Юлия", "yuliya"),
    ("Νεφέλη", "nefeli"), ("נעמה", "naama"), ("سلمى", "salma"), ("美緒", "mio"), ("서준", "seojun"), ("अनन्या", "ananya"),
];

#[rustfmt::skip]
pub const FAMILY: &[Name] = &[
    ("Abernathy", "abernathy"), ("Ahlquist", "ahlquist"), ("Amsel", "amsel"), ("Árnadóttir", "arnadottir"),
    ("Bellweather", "bellweather"), ("Bożek", "bozek"), ("Brightwater", "brightwater"), ("Calloway", "calloway"),
    ("Castellane", "castellane"), ("Çelebi", "celebi"), ("Corvalán", "corvalan"), ("Dąbek", "dabek"),
    ("Delacourt-Ames", "delacourt-ames"), ("Drăgan", "dragan"), ("Eberle", "eberle"), ("Ekwueme", "ekwueme"),
    ("Falkenrath", "falkenrath"), ("Ferreira Lobo", "ferreira-lobo"), ("Fjellstad", "fjellstad"), ("Gärtling", "gaertling"),
    ("Grünfeld", "gruenfeld"), ("Halvorsrud", "halvorsrud"), ("Haverkamp", "haverkamp"), ("Ibarrola", "ibarrola"),
    ("Ijeoma", "ijeoma"), ("Jørstad", "joerstad"), ("Kallweit", "kallweit"), ("Kıvanç", "kivanc"), ("Kowalczuk", "kowalczuk"),
    ("Lafontant", "lafontant"), ("Lindqvister", "lindqvister"), ("MacAskill", "macaskill"), ("Marchetti", "marchetti"),
    ("Mbeki-Ross", "mbeki-ross"), ("Mølbak", "moelbak"), ("Nakagawara", "nakagawara"), ("Nevárez", "nevarez"),
    ("O'Dálaigh", "odalaigh"), ("Oyelaran", "oyelaran"), ("Pellegrin", "pellegrin"), ("Přibyl", "pribyl"),
    ("Quarshie", "quarshie"), ("Rasmanis", "rasmanis"), ("Rosenthaler", "rosenthaler"), ("Sánchez-Vidal", "sanchez-vidal"),
    ("Šimůnek", "simunek"), ("Sommerfugl", "sommerfugl"), ("Straßmair", "strassmair"), ("Szentes", "szentes"),
    ("Tervonen", "tervonen"), ("Thistlewood", "thistlewood"), ("Uchendu", "uchendu"), ("Vaśko", "vasko"),
    ("Venkataraghavan", "venkataraghavan"), ("Wexler", "wexler"), ("Wiśnicz", "wisnicz"), ("Yamaguchiya", "yamaguchiya"),
    ("Zábranský", "zabransky"), ("Zeidler", "zeidler"), ("Соколова", "sokolova"), ("Παπαδέλλης", "papadellis"), ("高梨", "takanashi"),
];
